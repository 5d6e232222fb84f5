import { describe, expect, it } from 'vitest'
import { schema } from './schema.ts'
import { duration, rate, size } from './values.ts'

describe('options with units', () => {
  it('are checked into numbers', () => {
    expect(duration('d').parse('1h 30m')).toBe(5_400_000)
    expect(duration('d').prefault('10s').parse(undefined)).toBe(10_000)
    expect(size('d').parse('64KiB')).toBe(65_536)
    expect(rate('d').parse('100/s')).toMatchObject({ perSecond: 100 })
  })

  it('say what is wrong and what to write', () => {
    const problem = (option: ReturnType<typeof duration>, value: unknown) =>
      option.safeParse(value).error?.issues[0]?.message
    expect(problem(duration('d'), 30)).toMatch(/30 has no unit/)
    expect(problem(duration('d'), '30')).toMatch(/has no unit/)
    expect(problem(duration('d', 5), '1ms')).toMatch(/at least 5ms/)
    expect(problem(duration('d', 0, 5), '6ms')).toMatch(/at most 5ms/)
    expect(problem(size('d'), '0B')).toMatch(/at least 1B/)
    expect(problem(size('d'), '1 elephant')).toMatch(/not a size/)
  })

  it('are text in the JSON Schema, with their description', () => {
    expect(schema.toJSONSchema(duration('how long'), { io: 'input' })).toMatchObject({
      type: 'string',
      description: 'how long',
    })
  })
})
