import { AppError } from '../../core/errors.ts'
import type { CheckedEvent } from '../../core/event-check.ts'
import { type EventResult, ingestMany, ingestOne, resultText } from '../admit.ts'
import type { Call } from '../context.ts'
import { decompressed } from '../gunzip.ts'
import type { Answer } from '../http.ts'
import { bodyMode } from '../media-type.ts'
import { problem } from '../problem.ts'
import { takeEvents } from '../take-events.ts'
import { publishStream } from './publish-stream.ts'

const statuses = new Map([
  ['stored', 201],
  ['duplicate', 200],
  ['conflict', 409],
  ['quarantined', 202],
])

/** `POST /v1/events`: reads, admits, stores and answers after the commit. */
export function publishEvents(call: Call): Promise<Answer> {
  const { context } = call
  const request = decompressed(call.request, context.limits.gzip === true)
  const mode = bodyMode(request)
  if (context.draining.aborted) throw new AppError('stopping', 'the server is stopping: try again when it is back')
  if (mode === 'stream') return publishStream({ ...call, request })
  return takeEvents({ request, context }, mode, (events, isBatch) =>
    isBatch ? publishBatch(events, call) : publishOne(events[0] as CheckedEvent, call),
  )
}

function publishOne(checked: CheckedEvent, call: Call): Promise<Answer> {
  return ingestOne(checked, call.caller, call.context, (result) => answerOf(result, call))
}

function answerOf(result: EventResult, call: Call): Answer {
  const { durability } = call.context.pipeline.store
  const status = statuses.get(result.status)
  if (status === 409) {
    const detail = 'another event with this source and id is stored: an event cannot change; give the new one a new id'
    const { id, source, sequence } = result
    return problem('event-conflict', detail, { id, source, status: 'conflict', sequence, durability })
  }
  if (status === undefined) {
    const { code = 'event-invalid', message = 'the event was refused' } = result.error ?? {}
    return problem(code === 'schema-mismatch' ? code : 'event-invalid', message, {
      id: result.id,
      source: result.source,
      error: { code, message },
    })
  }
  return { status, type: 'application/json', body: resultText(result, `,"durability":"${durability}"`) }
}

async function publishBatch(events: readonly CheckedEvent[], call: Call): Promise<Answer> {
  const results = await ingestMany(events, call.caller, call.context)
  const { durability } = call.context.pipeline.store
  if (results.length > 0 && results.every(({ status }) => status === 'refused')) {
    return problem('events-all-invalid', 'no event of the batch is valid, and nothing was stored', {
      results,
      durability,
    })
  }
  let text = ''
  for (const result of results) text += text === '' ? resultText(result) : `,${resultText(result)}`
  return { status: 200, type: 'application/json', body: `{"results":[${text}],"durability":"${durability}"}` }
}
