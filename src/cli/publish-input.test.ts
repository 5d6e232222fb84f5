import { expect, test } from 'vitest'
import { readInput } from './publish-input.ts'

async function linesOf(text: string, name = 'stdin', chunkBytes = 7): Promise<string[]> {
  const bytes = Buffer.from(text)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  const found: string[] = []
  for await (const { elements } of readInput(chunks(), name)) {
    for (const element of elements) found.push(`${element.line} ${'text' in element ? element.text : element.problem}`)
  }
  return found
}

test('lines of JSON are events of their own, and a broken line costs no other', async () => {
  expect(await linesOf('{"a":1}\n\n{broken\n{"b":2}')).toEqual(['1 {"a":1}', '3 {broken', '4 {"b":2}'])
})

test('one object over several lines is one event', async () => {
  expect(await linesOf('{\n  "a": 1\n}\n')).toEqual(['1 {\n  "a": 1\n}'])
})

test('an array is its elements', async () => {
  expect(await linesOf('\n[{"a":1},\n{"b":2}]')).toEqual(['2 {"a":1}', '3 {"b":2}'])
})

test('a file that says it holds lines is read by lines, whatever its first line is', async () => {
  expect(await linesOf('{broken\n{"b":2}\n', 'x.ndjson')).toEqual(['1 {broken', '2 {"b":2}'])
})

test('nothing in, nothing out', async () => {
  expect(await linesOf('')).toEqual([])
  expect(await linesOf('\n\n')).toEqual([])
})
