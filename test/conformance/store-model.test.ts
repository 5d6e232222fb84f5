import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVirtualPlatform, type ModelStep, runStoreSteps } from '../../src/testing/index.ts'
import { storesUnderTest } from './stores-under-test.ts'

const sequence = fc.integer({ min: 1, max: 12 })
const sequences = fc.uniqueArray(sequence, { maxLength: 4 })
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
const commit = fc.record({
  events: fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 1 })), { maxLength: 5 }),
  cursor: maybe(fc.nat(50)),
  stream: maybe(fc.record({ expect: maybe(fc.nat(4)) })),
  ledger: maybe(
    fc.record({
      stale: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
      put: sequences,
      remove: sequences,
      bury: sequences,
      unbury: sequences,
      hold: maybe(sequences),
      settle: maybe(sequence),
    }),
  ),
})
const step: fc.Arbitrary<ModelStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), commits: fc.array(commit, { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take-over' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune' as const), events: fc.nat(14) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget-history' as const), before: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

const runs: Readonly<Record<string, number>> = { memory: 150, sqlite: 12 }

for (const [name, underTest] of Object.entries(storesUnderTest)) {
  // G2, G6, G9, G21, G29
  test(`any steps leave the ${name} store as a simple model says, and a failing run is made small`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const under = underTest()
        const platform = createVirtualPlatform()
        const open = () => under.open(platform)
        let current: Awaited<ReturnType<typeof open>> | undefined
        const reopen = async (store: NonNullable<typeof current>) => {
          await store.close()
          current = await under.reopen!(store, platform)
          return current
        }
        try {
          await runStoreSteps(
            async () => {
              current = await open()
              return current
            },
            steps,
            under.reopen === undefined ? undefined : reopen,
          )
        } finally {
          await current?.close()
        }
      }),
      { numRuns: runs[name] ?? 12, interruptAfterTimeLimit: 20_000 },
    )
  })
}

test('the model notices a store that forgets a commit', async () => {
  const platform = createVirtualPlatform()
  const store = await storesUnderTest['memory']!().open(platform)
  const forgetful = {
    ...store,
    commit: async () => [{ kind: 'ok' as const, events: [], durability: 'memory' as const }],
  }
  const steps: ModelStep[] = [{ kind: 'commit', commits: [{ events: [], cursor: 3 }] }]
  await expect(runStoreSteps(async () => forgetful, steps, undefined)).rejects.toThrow('after step 0')
})
