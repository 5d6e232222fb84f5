import { describe, expect, it } from 'vitest'
import { createLog, type LogFormat, type LogLevel } from './log.ts'

function recording(format: LogFormat, level: LogLevel = 'debug', linesPerSecond?: number) {
  const lines: string[] = []
  let at = 1_750_000_000_000
  const log = createLog({ write: (line) => lines.push(line), level, format, now: () => at, linesPerSecond })
  return { log, lines, advance: (ms: number) => (at += ms) }
}

describe.each(['text', 'json'] as const)('the %s log', (format) => {
  // SEC-80
  it('writes one line whatever the text contains', () => {
    const { log, lines } = recording(format)
    log.warn('a\r\n2026 ERROR forged\u001b[31m\u0085\u2028', { name: 'x\ny\u202e', list: ['\u009b1m'] })
    expect(lines).toHaveLength(1)
    expect(lines[0]!.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
    expect(lines[0]!.endsWith('\n')).toBe(true)
  })

  // SEC-80
  it('keeps a line within 8 KiB of whole characters', () => {
    const { log, lines } = recording(format)
    log.error('é'.repeat(9000), Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`f${n}`, '€'.repeat(5000)])))
    expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(8192)
    expect(lines[0]).not.toContain('\ufffd')
    if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error', cut: true })
  })

  // SEC-79
  it('shows the message of an error and nothing else of it', () => {
    const { log, lines } = recording(format)
    const error = Object.assign(new Error('refused', { cause: new Error('canary-cause') }), {
      config: 'canary-property',
    })
    log.error('failed', { error, nested: { error } })
    expect(lines[0]).toContain('refused')
    expect(lines[0]).not.toContain('canary')
  })

  it('says how many lines it left out', () => {
    const { log, lines, advance } = recording(format, 'debug', 2)
    for (let n = 0; n < 5; n++) log.info(`line ${n}`)
    expect(lines).toHaveLength(2)
    advance(1000)
    log.info('later')
    expect(lines).toHaveLength(4)
    expect(lines[2]).toMatch(/suppressed"?[=:]3/)
  })
})

describe('the level', () => {
  it('leaves out what is below it', () => {
    const { log, lines } = recording('text', 'warn')
    log.debug('a')
    log.info('b')
    log.warn('c')
    log.error('d')
    expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['c\n', 'd\n'])
  })

  it('silences everything', () => {
    const { log, lines } = recording('text', 'silent')
    log.error('d')
    expect(lines).toEqual([])
  })
})

describe('the json log', () => {
  it('cannot have its time or level replaced by a field', () => {
    const { log, lines } = recording('json')
    log.info('m', { level: 'error', time: 'x', count: 3, set: 10n })
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '2025-06-15T15:06:40.000Z',
      level: 'info',
      message: 'm',
      count: 3,
      set: '10',
    })
  })
})
