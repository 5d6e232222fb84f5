import { describe, expect, test } from 'vitest'
import { ack, later, staged, storeKinds } from './staged.test-support.ts'

describe.each(storeKinds)('the context of a delivery on the %s store', (kind) => {
  // S1-29
  test('is stored after each stage, also when the stage says that it is not done', async () => {
    const seen: unknown[] = []
    const { pipeline, publish } = await staged(kind, {
      first: () => ({ outcome: 'ack', context: { by: 'first' } }),
      wait({ context, attempt }) {
        seen.push(context)
        return { ...later, context: { ...context, waited: attempt } }
      },
    })
    const stored = async () => JSON.parse((await pipeline.store.rows('work', { limit: 1 }))[0]!.context!) as unknown
    pipeline.crashAt('after-stage-commit', { stage: 'first' })
    await publish('1')
    expect(await stored()).toEqual({ by: 'first' })
    await pipeline.restart()
    await pipeline.idle()
    expect(await stored()).toEqual({ by: 'first', waited: 1 })
    pipeline.crash()
    await pipeline.restart()
    await pipeline.clock.advance('1s')
    expect(seen).toEqual([{ by: 'first' }, { by: 'first', waited: 1 }])
  })

  // S1-33 S1-67
  test.each([false, true])('is the same for the next stage, with a crash in between (%s) or not', async (crashes) => {
    const seen: unknown[] = []
    const { pipeline, publish } = await staged(kind, {
      make: () => ({
        outcome: 'ack',
        context: {
          at: new Date(0),
          count: 2 ** 53 - 1,
          ratio: 0.1,
          none: null,
          nothing: undefined,
          notANumber: Number.NaN,
          list: [1, undefined],
          nested: { deep: new Map([[1, 2]]) },
        } as never,
      }),
      look({ context }) {
        seen.push(context)
        return ack
      },
    })
    if (crashes) pipeline.crashAt('after-stage-commit', { stage: 'make' })
    await publish('1').catch(() => undefined)
    expect(pipeline.hasCrashed).toBe(crashes)
    if (crashes) await pipeline.restart()
    await pipeline.clock.advance('1s')
    expect(seen).toStrictEqual([
      {
        at: '1970-01-01T00:00:00.000Z',
        count: 2 ** 53 - 1,
        ratio: 0.1,
        none: null,
        notANumber: null,
        list: [1, null],
        nested: { deep: {} },
      },
    ])
  })

  // S1-67 S1-68
  test('that cannot be written as JSON is an error of its stage; the others go on, and so does it once it is mended', async () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const wrong = [{ big: 1n }, circular, [1], 'text', () => 1]
    const { pipeline, publish, counters } = await staged(kind, {
      make: ({ event, attempt }) =>
        event.id === '1' && attempt <= wrong.length
          ? { outcome: 'ack', context: wrong[attempt - 1] as never }
          : { outcome: 'ack', context: { made: true } },
    })
    await publish('1', '2')
    expect(await counters()).toMatchObject({ delivered: 1, open: 1 })
    await pipeline.clock.advance('1m')
    expect(await counters()).toMatchObject({ delivered: 2, dead: 0 })
    const [{ attempts } = { attempts: [] }] = (await pipeline.explain(1, 'work')).deliveries
    expect(attempts.map(({ reason }) => reason).slice(0, wrong.length)).toEqual([
      expect.stringContaining('stage make threw: Do not know how to serialize a BigInt'),
      expect.stringContaining('stage make threw: Converting circular structure'),
      ...[1, 2, 3].map(() => 'stage make threw: its context is not a JSON object'),
    ])
  })

  // S1-66
  test.each([
    ['nothing', () => undefined],
    ['an outcome alone', () => ack],
    ['a retry', ({ attempt }: { attempt: number }) => (attempt === 1 ? later : ack)],
    ['an error', failing],
  ])('stays as it was when a stage answers %s', async (_, answer) => {
    const seen: unknown[] = []
    const { pipeline, publish } = await staged(kind, {
      make: () => ({ outcome: 'ack', context: { tier: 'gold' } }),
      between: answer,
      look({ context }) {
        seen.push(context)
        return ack
      },
    })
    await publish('1')
    await pipeline.clock.advance('1s')
    expect(seen).toEqual([{ tier: 'gold' }])
  })
})

function failing({ attempt }: { readonly attempt: number }): undefined {
  if (attempt === 1) throw new Error('once')
}
