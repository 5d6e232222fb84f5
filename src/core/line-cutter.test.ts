import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineCutter } from './line-cutter.ts'

const text = (line: Uint8Array | undefined): string | undefined =>
  line === undefined ? undefined : new TextDecoder().decode(line)

function cut(chunks: readonly Uint8Array[], maxBytes: number): (string | undefined)[] {
  const cutter = createLineCutter(maxBytes)
  const lines: (string | undefined)[] = []
  for (const chunk of chunks) cutter.push(chunk, (line) => lines.push(text(line)))
  cutter.end((line) => lines.push(text(line)))
  return lines
}

test('the lines are the same wherever the chunks are cut, and none is longer than allowed', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(60)), fc.boolean(), (lines, cuts, endsWithNewline) => {
      const input = new TextEncoder().encode(lines.join('\n') + (endsWithNewline ? '\n' : ''))
      const edges = [0, ...cuts.map((edge) => Math.min(edge, input.length)).sort((a, b) => a - b), input.length]
      const chunks = edges.slice(1).map((edge, index) => input.subarray(edges[index], edge))
      const wanted = (lines.length === 0 && endsWithNewline ? [''] : lines).map((each) =>
        each.length > 5 ? undefined : each,
      )
      // An empty last line without a newline is no line.
      if (!endsWithNewline && wanted.at(-1) === '') wanted.pop()
      expect(cut(chunks, 5)).toEqual(wanted)
    }),
  )
})

test('where a line ended is told, also of one that is too long', () => {
  const ends: number[] = []
  const cutter = createLineCutter(3)
  cutter.push(new TextEncoder().encode('ab\nabcdef\n\nx'), (_, end) => ends.push(end))
  cutter.push(new TextEncoder().encode('y\n'), (_, end) => ends.push(end))
  expect(ends).toEqual([3, 10, 11, 2])
})
