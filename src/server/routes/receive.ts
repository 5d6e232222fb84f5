import { AppError, type ErrorCode, errorCodes } from '../../core/errors.ts'
import type { IngestResult } from '../../plugin/source.ts'
import type { Reception } from '../../runtime/api.ts'
import { resultText, storingError } from '../admit.ts'
import type { Call } from '../context.ts'
import type { Answer, HttpRequest } from '../http.ts'
import { requirePlainEncoding } from '../media-type.ts'
import { problem } from '../problem.ts'

const statuses = { stored: 201, duplicate: 200, conflict: 409, quarantined: 202 } as const

/** `POST /in/{source}`: the source says who sent it and what it means; answers after the commit. */
export async function receiveWebhook(call: Call): Promise<Answer> {
  const { request, context, params } = call
  requirePlainEncoding(request)
  if (context.draining.aborted) throw new AppError('stopping', 'the server is stopping: try again when it is back')
  const { requests, limits, pipeline } = context
  requests.enter()
  let held = 0
  try {
    const body = await request.readBody(limits.bodyBytes, (more) => {
      requests.hold(more)
      held += more
    })
    const { method, query } = request
    const received = await pipeline
      .receive(params[0] as string, { method, query, headers: headersOf(request), body })
      .catch((error: unknown) => Promise.reject(storingError(error, context.log)))
    return answerOf(received, context.pipeline.store.durability)
  } finally {
    requests.leave(held)
  }
}

function headersOf({ headers }: HttpRequest): Record<string, string | undefined> {
  const all = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === 'string' || value === undefined ? value : value.join(', '),
  ])
  return Object.fromEntries(all) as Record<string, string | undefined>
}

function answerOf(received: Reception, durability: string): Answer {
  switch (received.kind) {
    case 'results':
      return resultAnswer(received.results, durability)
    case 'answer':
      return { status: 200, type: 'text/plain; charset=utf-8', body: received.text }
    case 'unauthorized':
      // Not what is wrong: whoever tries would learn from it (SEC-21).
      throw new AppError('unauthorized', 'this request is not accepted')
    case 'refused':
      throw new AppError(received.code, received.message)
  }
}

function resultAnswer(results: readonly IngestResult[], durability: string): Answer {
  const [result] = results
  if (result === undefined || results.length > 1) {
    const text = results.map((each) => resultText(each)).join(',')
    return { status: 200, type: 'application/json', body: `{"results":[${text}],"durability":"${durability}"}` }
  }
  if (result.status === 'refused') {
    const { code, message } = result.error
    throw new AppError(Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'event-invalid', message)
  }
  const status = statuses[result.status]
  if (status === 409) {
    const { id, source, sequence } = result
    const detail = 'another event with this id is stored, with other content: an event cannot change'
    return problem('event-conflict', detail, { id, source, status: 'conflict', sequence, durability })
  }
  return { status, type: 'application/json', body: resultText(result, `,"durability":"${durability}"`) }
}
