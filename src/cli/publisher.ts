import { AppError } from '../core/errors.ts'
import { notJson } from '../core/json-fault.ts'
import type { Api } from './api.ts'
import type { Element } from './json-elements.ts'

/** What came of one event that was sent. */
export interface SentResult {
  readonly id?: string
  readonly source?: string
  readonly status: string
  readonly sequence?: number
  readonly error?: { readonly code: string; readonly message: string }
}

/** An event that is not in the store, and where it stood in the input. */
export interface Problem {
  readonly line: number
  readonly status: 'refused' | 'conflict'
  readonly code: string
  readonly message: string
}

const maxProblems = 1_000

/** What came of all events so far. */
export interface Totals {
  stored: number
  duplicate: number
  conflict: number
  quarantined: number
  refused: number
  /** The first of them. */
  readonly problems: Problem[]
  durability: string | undefined
}

export function noTotals(): Totals {
  return { stored: 0, duplicate: 0, conflict: 0, quarantined: 0, refused: 0, problems: [], durability: undefined }
}

export function totalOf(totals: Totals): number {
  return totals.stored + totals.duplicate + totals.conflict + totals.quarantined + totals.refused
}

/** Below the default limit of a body, so that a batch is usually one request and one commit. */
const maxBatchBytes = 900_000

/** Sends events in batches and counts what came of them. A batch that is refused as a whole is sent again line by line. */
export async function sendBatch(
  api: Api,
  elements: readonly Element[],
  totals: Totals,
): Promise<readonly SentResult[]> {
  const sent: { readonly line: number; readonly text: string }[] = []
  for (const element of elements) {
    const problem = element.kind === 'bad' ? element.problem : jsonProblem(element.text)
    if (problem !== undefined) {
      refuse(totals, { line: element.line, status: 'refused', code: 'body-malformed', message: `it ${problem}` })
    } else if (element.kind === 'text') {
      // Outside of strings a line break is white space, and inside of them JSON has none: numbers keep their spelling.
      sent.push({ line: element.line, text: element.text.replaceAll(/[\r\n]/g, ' ') })
    }
  }
  if (sent.length === 0) return []
  const texts = sent.map(({ text }) => text)
  const bytes = texts.reduce((sum, text) => sum + text.length, 0)
  const results =
    (bytes <= maxBatchBytes ? await asArray(api, texts, totals) : undefined) ?? (await asLines(api, texts, totals))
  results.forEach((result, index) => {
    count(totals, result, sent[index]?.line ?? 0)
  })
  return results
}

function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return notJson(text)
  }
}

function refuse(totals: Totals, problem: Problem): void {
  totals[problem.status]++
  if (totals.problems.length < maxProblems) totals.problems.push(problem)
}

function count(totals: Totals, { status, error }: SentResult, line: number): void {
  if (status === 'stored' || status === 'duplicate' || status === 'quarantined') totals[status]++
  else if (status === 'conflict') {
    const message = 'another event with this source and id is stored already; give the new one a new id'
    refuse(totals, { line, status, code: error?.code ?? 'event-conflict', message: error?.message ?? message })
  } else {
    const { code = 'event-invalid', message = 'the event was refused' } = error ?? {}
    refuse(totals, { line, status: 'refused', code, message })
  }
}

interface BatchAnswer {
  readonly results: readonly SentResult[]
  readonly durability: string
}

/** Undefined when the batch as a whole cannot be taken: too large, or one event makes all of it unreadable. */
async function asArray(api: Api, texts: readonly string[], totals: Totals): Promise<readonly SentResult[] | undefined> {
  try {
    const answer = await api.text('POST', '/v1/events', `[${texts.join(',')}]`)
    const { results, durability } = JSON.parse(answer) as BatchAnswer
    totals.durability = durability
    return results
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'events-all-invalid') return error.facts['results'] as readonly SentResult[]
    if (error.code === 'body-too-large' || error.code === 'body-malformed') return undefined
    throw error
  }
}

async function asLines(api: Api, texts: readonly string[], totals: Totals): Promise<readonly SentResult[]> {
  const answer = await api.text('POST', '/v1/events', texts.join('\n'), 'application/x-ndjson')
  const lines = answer.split('\n').filter((line) => line !== '')
  const results = lines.map((line) => JSON.parse(line) as SentResult & { durability?: string })
  const last = results.at(-1)
  if (last?.status === 'ended') {
    const { code, message } = last.error ?? { code: 'internal', message: 'the server gave no reason' }
    throw new AppError(
      'server-unreachable',
      `the server took ${results.length - 1} events of a batch of ${texts.length} and stopped: ${message}`,
      {
        facts: { reason: code },
      },
    )
  }
  totals.durability = last?.durability ?? totals.durability
  return results
}
