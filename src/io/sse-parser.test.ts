import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSseParser, type SseMessage } from './sse-parser.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (text: string, maxChars = 1_000) => {
  const parser = createSseParser(maxChars)
  return { messages: parser.push(bytes(text)), place: parser.place }
}
const message = (data: string, type = 'message', id = ''): SseMessage => ({
  type,
  data,
  id,
  hasOwnId: id !== '',
})

describe('the examples of the HTML standard', () => {
  test.each([
    ['data: YHOO\ndata: +2\ndata: 10\n\n', [message('YHOO\n+2\n10')]],
    [
      ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n',
      [message('first event', 'message', '1'), message('second event'), message(' third event')],
    ],
    ['data\n\ndata\ndata\n\ndata:', [message(''), message('\n')]],
    ['data:test\n\ndata: test\n\n', [message('test'), message('test')]],
    [
      'event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n',
      [message('73857293', 'add'), message('2153', 'remove')],
    ],
  ])('%j', (text, messages) => {
    expect(parse(text).messages).toEqual(messages)
  })
})

describe('a stream', () => {
  test('may begin with a byte order mark, once', () => {
    expect(parse('\ufeffdata: a\n\n').messages).toEqual([message('a')])
    expect(parse('\ufeff\ufeffdata: a\n\n').messages).toEqual([])
  })

  test('may end its lines in any way', () => {
    for (const end of ['\n', '\r', '\r\n'])
      expect(parse(['id: 7', 'data: a', 'data: b', '', ''].join(end)).messages).toEqual([
        message('a\nb', 'message', '7'),
      ])
  })

  test('has no event that is not complete', () => {
    const { messages, place } = parse('id: 1\ndata: a\n\nid: 2\ndata: b\n')
    expect(messages).toEqual([message('a', 'message', '1')])
    expect(place.lastId).toBe('1')
  })

  test('moves on by an id without data, and keeps an id until another comes', () => {
    const { messages, place } = parse('id: 1\n\ndata: a\n\nid: 9\n\n')
    expect(messages).toEqual([{ ...message('a', 'message', '1'), hasOwnId: false }])
    expect(place.lastId).toBe('9')
  })

  test('an id with NUL is none, and an empty one forgets', () => {
    expect(parse('id: 1\n\nid: 2\0\n\n').place.lastId).toBe('1')
    expect(parse('id: 1\n\nid\n\n').place.lastId).toBe('')
  })

  test('a wait is digits only', () => {
    expect(parse('retry: 250\n\n').place.retryMs).toBe(250)
    for (const wrong of ['-1', '1.5', '1e3', '', ' 1', 'x'])
      expect(parse(`retry:${wrong === ' 1' ? '  1' : wrong}\n\n`).place.retryMs).toBeUndefined()
  })

  test('fields that it does not know are nothing', () => {
    expect(parse('Data: a\nfoo: b\ndata : c\n\n').messages).toEqual([])
  })
})

describe('an event that is too large', () => {
  test.each([
    ['in one line', `data: ${'x'.repeat(100)}\n\n`],
    ['in one line that never ends in its chunk', `data: ${'x'.repeat(1_000)}`],
    ['in many lines', 'data: xxxxxxxxxx\n'.repeat(10)],
  ])('%s is left out, counted, and the next one comes', (_, text) => {
    const parser = createSseParser(50)
    const messages = [...parser.push(bytes(text)), ...parser.push(bytes('\n\ndata: next\n\n'))]
    expect(messages).toEqual([message('next')])
    expect(parser.place.oversized).toBe(1)
  })
})

/** The algorithm of the standard, over a whole text. */
function byTheBook(whole: string): SseMessage[] {
  const found: SseMessage[] = []
  let id = ''
  let hasOwnId = false
  let type = ''
  let data = ''
  const lines = whole.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  // The last piece has no line end.
  for (const line of lines.slice(0, -1)) {
    if (line === '') {
      if (data !== '') found.push({ type: type || 'message', data: data.slice(0, -1), id, hasOwnId })
      hasOwnId = false
      type = ''
      data = ''
      continue
    }
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const text = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') data += `${text}\n`
    if (name === 'event') type = text
    if (name === 'id' && !text.includes('\0')) {
      id = text
      hasOwnId = text !== ''
    }
  }
  return found
}

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '',
      'data',
      'data:',
      'data: x',
      'id',
      'id:7',
      'id: 8',
      'event: a',
      'retry: 5',
      ':',
      ': c',
      'data: ä€😀',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('d', 'a', 't', ':', ' ', '\0', '\t', 'ö', '😀') }) },
)
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 30 })
  .chain((lines) =>
    fc.tuple(fc.constantFrom('', '\ufeff'), fc.constant(lines.map(([text, end]) => text + end).join(''))),
  )
  .map(([mark, text]) => mark + text)

// SEC-88
test('any stream in any chunks is what the standard says', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 200 }), (text, cuts) => {
      const all = bytes(text)
      const parser = createSseParser(10_000)
      const found: SseMessage[] = []
      let at = 0
      for (const cut of cuts) {
        found.push(...parser.push(all.subarray(at, at + cut)))
        at += cut
      }
      found.push(...parser.push(all.subarray(at)))
      expect(found).toEqual(byTheBook(text))
    }),
    { numRuns: 2_000 },
  )
})

// SEC-88
test('bytes that are no stream at all do no harm', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
      const parser = createSseParser(32)
      for (const chunk of chunks) for (const { data } of parser.push(chunk)) expect(data.length).toBeLessThanOrEqual(64)
    }),
    { numRuns: 1_000 },
  )
})
