import type { Answer, Failure } from './request.ts'
import type { PublishResult } from './types.ts'

/** What came of events sent in order: results for the first of them, and why there are none for the rest. */
export interface Exchange {
  readonly results: readonly PublishResult[]
  readonly failure?: Failure | undefined
  /** As many as were in the largest request that was not taken as a whole. */
  readonly spoiled?: number | undefined
}

/** Sends events; where one of them spoils a request, in halves, until it is alone and refused by itself. */
export async function exchange(
  texts: readonly string[],
  send: (texts: readonly string[]) => Promise<Answer>,
): Promise<Exchange> {
  const answer = await send(texts)
  if (answer.kind === 'results') return answer
  if (answer.kind !== 'spoiled') return { results: [], failure: answer }
  if (texts.length === 1) return { results: [refused(texts[0]!, answer.error)] }
  const middle = Math.ceil(texts.length / 2)
  const first = await exchange(texts.slice(0, middle), send)
  if (first.failure !== undefined) return { ...first, spoiled: texts.length }
  const second = await exchange(texts.slice(middle), send)
  return { results: [...first.results, ...second.results], failure: second.failure, spoiled: texts.length }
}

function refused(text: string, error: { readonly code: string; readonly message: string }): PublishResult {
  const { id, source } = JSON.parse(text) as PublishResult
  return { id, source, status: 'refused', error }
}
