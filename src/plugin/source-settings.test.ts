import { describe, expect, it } from 'vitest'
import { formatIssue } from '../core/issues.ts'
import { createCatalogue } from './catalogue.ts'
import { defineSource } from './define.ts'
import { checkPipeline } from './pipeline-config.ts'
import { nodePlatform } from './platform.ts'
import { schema } from './schema.ts'

const ticker = (isPassive: boolean) =>
  defineSource({
    name: isPassive ? 'door' : 'ticker',
    summary: 'A source.',
    options: schema.strictObject({ every: schema.string().optional() }),
    example: {},
    isPassive,
    create: () => ({ async *read() {} }),
  })
const active = ticker(false)
const catalogue = createCatalogue([active, ticker(true)])

const problems = (source: unknown): string[] => {
  const store = { declaration: { kind: 'store', name: 'none', options: schema.strictObject({}) }, options: {} }
  const checked = checkPipeline({ store, sources: { s: source } }, catalogue, {
    directory: '.',
    platform: nodePlatform,
  })
  return checked.ok ? [] : checked.issues.map(formatIssue)
}
const planned = (source: unknown) => {
  const store = { declaration: { kind: 'store', name: 'none', options: schema.strictObject({}) }, options: {} }
  const checked = checkPipeline({ store, sources: { s: source } }, catalogue, {
    directory: '.',
    platform: nodePlatform,
  })
  if (!checked.ok) throw new Error(checked.issues.map(formatIssue).join('\n'))
  return checked.plan.sources[0]!
}

describe('the setting debounce of a source', () => {
  it('stands beside the own options of any source, in a file and in code', () => {
    // S0-105 S0-110
    const rules = [
      { match: ['file.*'], strategy: 'batch' as const, window: '2s' },
      { window: '1s', maxWait: '5s' },
    ]
    const debounce = [
      { match: ['file.*'], strategy: 'batch', windowMs: 2000, maxWaitMs: 20_000 },
      { match: ['*'], strategy: 'debounce', windowMs: 1000, maxWaitMs: 5000 },
    ]
    expect(planned({ type: 'ticker', every: '1s', debounce: rules })).toMatchObject({
      options: { every: '1s' },
      debounce,
    })
    expect(planned(active({ every: '1s', debounce: rules }))).toMatchObject({ options: { every: '1s' }, debounce })
    expect(planned({ type: 'ticker' }).debounce).toBeUndefined()
  })

  it('is refused where it is wrong, in words that say why', () => {
    // S0-107
    expect(problems({ type: 'ticker', debounce: [{ window: 5, strategy: 'throttle' }] })).toEqual([
      expect.stringMatching(/sources\.s\.debounce\[0\]\.strategy.*batch.*debounce/),
      expect.stringMatching(/sources\.s\.debounce\[0\]\.window.*unit/),
    ])
    expect(problems({ type: 'ticker', debounce: [{ window: '1s', match: ['a*'] }] })[0]).toMatch(/a star may/)
    expect(problems({ type: 'ticker', debounce: [{ window: '1s', strategy: 'batch', maxWait: '2s' }] })[0]).toMatch(
      /no meaning with strategy: batch/,
    )
    expect(problems({ type: 'ticker', debounce: [{ window: '2s', maxWait: '1s' }] })[0]).toMatch(/shorter/)
  })

  it('is among the names that a misspelt one may have meant, with the own ones', () => {
    expect(problems({ type: 'ticker', debounse: [] })[0]).toMatch(/did you mean debounce\?.*debounce, every/)
    expect(problems({ type: 'ticker', evry: '1s' })[0]).toMatch(/did you mean every\?/)
  })

  it('is no setting of a source that is answered at once', () => {
    expect(problems({ type: 'door', debounce: [{ window: '1s' }] })[0]).toMatch(/there is no such setting/)
  })
})
