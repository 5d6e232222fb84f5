import { threadId } from 'node:worker_threads'
import type { StageInput, StageResult } from '../stage.ts'

// Functions that tests run in worker threads.

/** Says in the context what it was given. */
export function describe(input: StageInput, own: unknown): StageResult {
  const { event, context, attempt, kept, now, signal, log } = input
  log.info('seen', { id: event.id })
  return {
    outcome: 'ack',
    context: {
      ...context,
      event: [event.sequence, event.source, event.id, event.type, event.subject, event.time, event.recordedtime],
      data: event.data,
      meta: event.meta,
      frozen: [event, event.data, event.meta, context].map((each) => Object.isFrozen(each)),
      isOf: event.constructor.name,
      attempt,
      kept: kept === undefined,
      aborted: signal.aborted,
      isNow: Math.abs(now - event.record.appendedAt) < 60_000,
      own,
      names: Object.keys(input).sort(),
    },
  }
}

export const thread = (): StageResult => ({ outcome: 'ack', context: { thread: threadId } })

/** What JSON makes of it must be made in the thread: outside it, the class is gone. */
export function withClasses(): StageResult {
  const price = { toJSON: () => '12.50' }
  const url = new URL('https://example.org/a')
  return {
    outcome: 'ack',
    context: { price, url },
    event: { data: { price }, time: new Date(0) },
    derive: [
      { type: 'bytes', data: new Uint8Array([1, 2]), datacontenttype: 'application/octet-stream' },
      { type: 'none' },
    ],
  }
}

export const nothing = (): void => undefined
export const ofNoUse = (): StageResult => ({ outcome: 'perhaps' }) as unknown as StageResult
export const withFunction = (): StageResult => ({ outcome: 'ack', context: (() => 1) as never })

export function throws(): never {
  throw new Error('the tide is out')
}

export function spin(): never {
  for (;;);
}

export function exit({ event }: StageInput): undefined {
  if (event.subject === 'poison') process.exit(7)
  return undefined
}

export async function bug(): Promise<void> {
  setTimeout(() => {
    throw new Error('nobody handles this')
  })
  await new Promise(() => undefined)
}

export function fillMemory(): never {
  const all: unknown[] = []
  for (;;) all.push({ text: `${all.length}`, more: [all.length] })
}

/** Ends by itself when it is told to. */
export const obey = ({ signal }: StageInput): Promise<StageResult> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve({ outcome: 'ack', context: { reason: String((signal.reason as Error).message) } })
    })
  })

/** Floods the port that the pipeline reads, and the log. */
export async function rubbish({ log }: StageInput): Promise<StageResult> {
  const { parentPort } = await import('node:worker_threads')
  for (const each of [null, 1, 'text', {}, { id: 1 }, { kind: 'done' }, { kind: 'done', id: 'x' }])
    parentPort!.postMessage(each)
  for (let i = 0; i < 5000; i++) log.warn('again')
  return { outcome: 'ack', context: { whole: true } }
}

export const number = 42
