import { describe, expect, onTestFinished, test } from 'vitest'
import type { Event, EventInput } from '../core/event.ts'
import { createPipeline } from '../pipeline.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { createCatalogue } from './catalogue.ts'
import { checkPipeline } from './pipeline-config.ts'
import { type ProjectionOptions, projection } from './projection.ts'

interface Balance {
  readonly balance: number
  readonly events: number
}
type Amount = Event<{ amount: number }>

const initial: Balance = { balance: 0, events: 0 }
const add = ({ balance, events }: Balance, { data }: Amount): Balance => ({
  balance: balance + data.amount,
  events: events + 1,
})

async function world<State>(
  options: Partial<ProjectionOptions<State, Amount>> & Pick<ProjectionOptions<State, Amount>, 'initial' | 'fold'>,
) {
  const platform = createVirtualPlatform()
  const balances = projection<State, Amount>('balances', { match: ['account.*'], ...options })
  const pipeline = createPipeline({ store: memory(), subscriptions: { balances } }, { platform })
  await pipeline.start()
  onTestFinished(async () => {
    const stopping = pipeline.stop()
    await platform.advance(100)
    await stopping
  })
  let n = 0
  const send = async (amount: unknown, subject = 'a', more: Partial<EventInput> = {}) => {
    n += 1
    await pipeline.publish({ source: 's', id: String(n), type: 'account.paid', subject, data: { amount }, ...more })
    await platform.advance(10)
  }
  return { platform, pipeline, send, state: balances.of(pipeline) }
}

describe('a projection', () => {
  // S3-14, G9
  test('folds the events of each key in order, keeps the state in the store, and is read by key, in pages and as a whole', async () => {
    const { send, state } = await world({ initial, fold: add })
    await send(5)
    await send(7, 'b')
    await send(-2)
    await send(1, 'a', { type: 'other.paid' })
    expect(await state.get('a')).toEqual({ balance: 3, events: 2 })
    expect(await state.get('none')).toBeUndefined()
    expect(await state.list({ limit: 1 })).toEqual({
      entries: [{ key: 'a', value: { balance: 3, events: 2 } }],
      next: 'a',
    })
    expect(await state.list({ after: 'a' })).toEqual({ entries: [{ key: 'b', value: { balance: 7, events: 1 } }] })
    expect((await Array.fromAsync(state.entries({ prefix: 'b' }))).map(({ key }) => key)).toEqual(['b'])
    await expect(state.list({ limit: 0 })).rejects.toThrow(/limit is 1 to 1000/)
  })

  test('begins with the first event of the log, also when it is new', async () => {
    const platform = createVirtualPlatform()
    const balances = projection('balances', { match: ['*'], initial, fold: add })
    const store = memory()
    const opened = await store.declaration.open({}, { directory: '.', platform })
    await opened.commit([{ events: [{ source: 's', id: '1', type: 'x', subject: 'a', data: '{"amount":4}' }] }])
    const use = { ...store, declaration: { ...store.declaration, open: async () => opened } }
    const pipeline = createPipeline({ store: use, subscriptions: { balances } }, { platform })
    await pipeline.start()
    await platform.advance(100)
    expect(await balances.of(pipeline).get('a')).toEqual({ balance: 4, events: 1 })
    const stopping = pipeline.stop()
    await platform.advance(100)
    await stopping
  })

  test('has a key of its own where it is told one; events that are about nothing are discarded with the reason', async () => {
    const { send, state, pipeline } = await world({
      initial,
      fold: add,
      key: ({ data }) => (data.amount > 0 ? `in/${data.amount}` : undefined),
    })
    for (const amount of [5, 5, -1]) await send(amount)
    expect(await state.get('in/5')).toEqual({ balance: 10, events: 2 })
    expect((await pipeline.explain(3, 'balances')).deliveries[0]).toMatchObject({
      state: 'discarded',
      reason: 'it has no key in this projection',
    })
    expect((await pipeline.audit()).ok).toBe(true)
  })

  test('keys may be any text: empty, with slashes, and with half characters made whole', async () => {
    const { send, state } = await world({ initial, fold: add, key: ({ subject }) => subject!.slice(1) })
    for (const subject of ['x', 'xa/b c', 'x😀', 'x%2F']) await send(1, subject)
    expect((await state.list()).entries.map(({ key }) => key)).toEqual(['', '%2F', 'a/b c', '😀'])
    expect(await state.get('')).toEqual({ balance: 1, events: 1 })
    const halves = await world({ initial, fold: add, key: ({ subject }) => subject!.slice(0, 1) })
    for (const subject of ['😀', '😁']) await halves.send(1, subject)
    expect(await halves.state.get('\ufffd')).toEqual({ balance: 2, events: 2 })
    expect(await halves.state.get('😀'[0]!)).toEqual({ balance: 2, events: 2 })
  })

  test('undefined leaves a state, null removes it, and no fold can change what it is given', async () => {
    const { send, state } = await world<{ n: number }>({
      initial: { n: 0 },
      fold(before, { data }) {
        if (data.amount === 0) return undefined
        if (data.amount < 0) return null
        if (data.amount === 99) (before as { n: number }).n = 99
        return { n: before.n + data.amount }
      },
    })
    await send(0)
    await send(-1)
    expect((await state.list()).entries).toEqual([])
    await send(3)
    await send(0)
    expect(await state.get('a')).toEqual({ n: 3 })
    await send(-1)
    expect(await state.get('a')).toBeUndefined()
    await send(4)
    expect(await state.get('a')).toEqual({ n: 4 })
    await send(99)
    expect(await state.get('a')).toEqual({ n: 4 })
  })

  // S3-14
  test('an event whose fold fails holds back the later ones of its key until it is tried again, and no other key', async () => {
    let isBroken = true
    const { send, state, platform } = await world<number[]>({
      initial: [],
      fold(before, { data: { amount } }) {
        if (amount === 13 && isBroken) throw new Error('not 13')
        return [...before, amount]
      },
    })
    for (const amount of [1, 13, 2, 3]) await send(amount)
    await send(7, 'b')
    expect(await state.get('a')).toEqual([1])
    expect(await state.get('b')).toEqual([7])
    isBroken = false
    await platform.advance(2000)
    expect(await state.get('a')).toEqual([1, 13, 2, 3])
  })

  // S3-14, S3-16
  test('one that has failed for good is a dead letter, and its key waits for it to be redriven or discarded', async () => {
    let isBroken = true
    const { send, state, platform, pipeline } = await world<number[]>({
      initial: [],
      fold(before, { data: { amount } }) {
        if (amount === 13 && isBroken) throw new Error('not 13')
        return [...before, amount]
      },
      key: ({ subject }) => `key of ${subject}`,
    })
    for (const amount of [1, 13, 2]) await send(amount)
    await platform.advance(60_000)
    await send(3)
    expect(await pipeline.subscription('balances')).toMatchObject({ counters: { dead: 1 }, open: 2, state: 'running' })
    expect(await state.get('key of a')).toEqual([1])
    isBroken = false
    expect(await pipeline.redrive('balances', { all: true })).toEqual({ redriven: 1 })
    await platform.advance(1000)
    expect(await state.get('key of a')).toEqual([1, 13, 2, 3])
    expect((await pipeline.audit()).ok).toBe(true)
  })

  test('what a fold may not answer is a failure that says so', async () => {
    const { send, platform, pipeline } = await world<unknown>({
      initial: {},
      fold: (_, { data: { amount } }) => (amount === 1 ? Promise.resolve({}) : Symbol('no JSON')),
      retry: { attempts: 1 },
    })
    await send(1)
    await send(2, 'b')
    await platform.advance(100)
    expect((await pipeline.dead('balances', { limit: 10 })).map(({ error }) => error)).toEqual([
      expect.stringMatching(/answered a promise/),
      expect.stringMatching(/is not JSON/),
    ])
  })

  test('is refused with what is not a function, a version or a JSON value', () => {
    const made = (more: object) => () => {
      const balances = projection('balances', { match: ['*'], initial, fold: add, ...more })
      createPipeline({ store: memory(), subscriptions: { balances } })
    }
    expect(made({ fold: 'x' })).toThrow(/a function is needed/)
    expect(made({ version: 0 })).toThrow(/version/)
    expect(made({ initial: undefined })).toThrow(/a JSON value is needed/)
    expect(made({ match: ['x..y'] })).toThrow(/match/)
  })

  test('its dead letters stay for ever: one that went by itself would take part of the state with it', () => {
    const balances = projection('balances', { match: ['*'], initial, fold: add })
    const around = { directory: '.', platform: createVirtualPlatform() }
    const checked = checkPipeline({ store: memory(), subscriptions: { balances } }, createCatalogue([]), around)
    expect(checked.ok && checked.plan.subscriptions[0]!.policy).toMatchObject({
      dead: { keepMs: undefined, redrive: undefined },
      ordering: 'key',
      onFailure: 'park',
      start: { kind: 'beginning' },
    })
  })

  test('what is read is as new as the event that was asked for', async () => {
    const { state, pipeline, platform } = await world({ initial, fold: add })
    const { sequence } = await pipeline.publish({
      source: 's',
      id: 'x',
      type: 'account.paid',
      subject: 'a',
      data: { amount: 9 },
    })
    const settled = state.settled(sequence!)
    await platform.advance(100)
    await settled
    expect(await state.get('a')).toEqual({ balance: 9, events: 1 })
    const controller = new AbortController()
    const never = state.settled(sequence! + 1, { signal: controller.signal })
    controller.abort(new Error('no longer'))
    await expect(never).rejects.toThrow('no longer')
    await pipeline.pause('balances')
    await expect(state.settled(sequence! + 1)).rejects.toThrow(/paused by hand/)
  })
})
