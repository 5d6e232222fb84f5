import { expect, test } from 'vitest'
import { Ledger } from '../core/ledger.ts'
import { noCounters } from '../core/ledger-state.ts'
import type { Platform } from '../core/platform.ts'
import type { Commit, CommitResult, LedgerChange, Store } from '../plugin/store.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { Settler } from './settler.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

function owned(name: string) {
  const empty = { start: 0, examined: 0, follows: true, pending: [], counters: noCounters, state: 'running' } as const
  return { name, epoch: 1, ledger: new Ledger({ ...empty, openRows: 0, deadRows: 0 }), align() {} }
}

/** A settler whose timers the test calls, on a store that answers when the test says so. */
function world() {
  const work = owned('work')
  const commits: LedgerChange[] = []
  const answers: (() => void)[] = []
  const timers: (() => void)[] = []
  const store = {
    commit: async ([commit]: readonly Commit[]): Promise<readonly CommitResult[]> => {
      commits.push(...commit!.ledgers!.filter(({ subscription }) => subscription === 'work'))
      await new Promise<void>((resolve) => answers.push(resolve))
      return [{ kind: 'ok', events: [], durability: 'memory' }]
    },
  } satisfies Pick<Store, 'commit'> as unknown as Store
  const platform: Platform = {
    ...createVirtualPlatform(),
    after(_, task) {
      timers.push(task)
      return { cancel: () => void timers.splice(timers.indexOf(task), 1) }
    },
  }
  const settler = new Settler(
    store,
    platform,
    log,
    owned('frontier'),
    () => undefined,
    () => undefined,
  )
  const change = (sequence: number) => {
    work.ledger.keep({ stage: 'count', key: 'a', value: `${sequence}` })
    settler.touch(work)
  }
  const step = (sequence: number) =>
    work.ledger.putRow(
      { sequence, state: 'waiting', dueAt: 0, done: [], attempt: 0, deaths: 0, attempts: [] },
      'pending',
    )
  return { settler, change, step, commits, answers, timers }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a flush that somebody asks for in the middle of a change writes the whole of it in one commit', async () => {
  // G9
  const { settler, change, step, commits, answers } = world()
  change(1)
  const flushed = settler.flush()
  step(1)
  await turn()
  expect(commits).toMatchObject([{ kept: [{ value: '1' }], put: [{ sequence: 1 }] }])
  answers.shift()!()
  await flushed
  expect(settler.isClean).toBe(true)
})

test('one commit is written at a time, also when its time comes in the turn in which somebody flushes', async () => {
  const { settler, change, step, commits, answers, timers } = world()
  change(1)
  step(1)
  const flushed = settler.flush()
  for (const due of [...timers]) due()
  change(2)
  await turn()
  expect(commits).toHaveLength(1)
  change(3)
  const next = settler.flush()
  await turn()
  expect(answers).toHaveLength(1)
  answers.shift()!()
  await flushed
  await turn()
  expect(commits).toMatchObject([{ kept: [{ value: '2' }] }, { kept: [{ value: '3' }] }])
  answers.shift()!()
  await next
})
