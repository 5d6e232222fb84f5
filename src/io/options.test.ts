import { describe, expect, it } from 'vitest'
import { schema } from '../plugin/schema.ts'
import { durationOption, rateOption, sizeOption } from './options.ts'

describe('options with units', () => {
  it('are checked into numbers', () => {
    expect(durationOption('d').parse('1h 30m')).toBe(5_400_000)
    expect(durationOption('d').prefault('10s').parse(undefined)).toBe(10_000)
    expect(sizeOption('d').parse('64KiB')).toBe(65_536)
    expect(rateOption('d').parse('100/s')).toMatchObject({ perSecond: 100 })
  })

  it('say what is wrong and what to write', () => {
    const problem = (option: ReturnType<typeof durationOption>, value: unknown) =>
      option.safeParse(value).error?.issues[0]?.message
    expect(problem(durationOption('d'), 30)).toMatch(/30 has no unit/)
    expect(problem(durationOption('d'), '30')).toMatch(/has no unit/)
    expect(problem(durationOption('d', { minMs: 5 }), '1ms')).toMatch(/at least 5ms/)
    expect(problem(durationOption('d', { maxMs: 5 }), '6ms')).toMatch(/at most 5ms/)
    expect(problem(sizeOption('d'), '0B')).toMatch(/at least 1B/)
    expect(problem(sizeOption('d'), '1 elephant')).toMatch(/not a size/)
  })

  it('are text in the JSON Schema, with their description', () => {
    expect(schema.toJSONSchema(durationOption('how long'), { io: 'input' })).toMatchObject({
      type: 'string',
      description: 'how long',
    })
  })
})
