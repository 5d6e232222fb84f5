import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLineReader, type Line, readLines } from './line-reader.ts'

function read(chunks: readonly Uint8Array[], maxLineBytes = 1000): Line[] {
  const reader = createLineReader({ maxLineBytes })
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()]
}
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8')
const texts = (lines: readonly Line[]): unknown[] =>
  lines.map((line) => (line.kind === 'text' ? line.text : line.problem))

describe('the line reader', () => {
  it('gives the same lines wherever the chunks are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), fc.array(fc.nat(400)), (parts, cuts) => {
        const input = bytes(parts.join('\n'))
        const edges = [0, ...cuts.map((cut) => Math.min(cut, input.length)).sort((a, b) => a - b), input.length]
        const chunks = edges.slice(1).map((edge, n) => input.subarray(edges[n], edge))
        expect(read(chunks)).toEqual(read([input]))
      }),
      { numRuns: 200 },
    )
  })

  it('strips CRLF and a byte order mark, and numbers empty lines', () => {
    const lines = read([bytes('\ufeffa\r\n\nb\rc\r\n\ufeffd')])
    expect(texts(lines)).toEqual(['a', '', 'b\rc', '\ufeffd'])
    expect(lines.map((line) => line.number)).toEqual([1, 2, 3, 4])
  })

  it('says where each line ends, so that reading can go on there', () => {
    const input = bytes('één\ntwee\r\ndrie')
    const [first, second, third] = read([input])
    expect([first!.end, second!.end, third!.end]).toEqual([6, 12, 16])
    const rest = createLineReader({ maxLineBytes: 100, startLine: 1, startOffset: first!.end })
    expect([...rest.push(input.subarray(first!.end)), ...rest.end()]).toEqual([second, third])
  })

  // SEC-34
  it('refuses a line that is not UTF-8 and reads the others', () => {
    const input = Buffer.concat([bytes('a\n'), Buffer.from([0xff, 0xfe, 10]), bytes('b\n')])
    expect(texts(read([input]))).toEqual(['a', 'not-utf8', 'b'])
  })

  it('refuses a line above the limit, over any number of chunks, and reads the others', () => {
    expect(texts(read([bytes('1234\n12345\n1234\r\n12345\r\n1')], 4))).toEqual([
      '1234',
      'too-long',
      '1234',
      'too-long',
      '1',
    ])
    const many = Array.from({ length: 100 }, () => bytes('xxxxxxxxxx'))
    expect(texts(read([...many, bytes('\nok')], 50))).toEqual(['too-long', 'ok'])
    expect(texts(read(many, 50))).toEqual(['too-long'])
  })

  it('reads a stream', async () => {
    async function* chunks() {
      yield bytes('a\nb')
      yield bytes('c')
      yield bytes('\nd')
    }
    const lines: Line[] = []
    for await (const some of readLines(chunks(), { maxLineBytes: 10 })) lines.push(...some)
    expect(texts(lines)).toEqual(['a', 'bc', 'd'])
  })
})
