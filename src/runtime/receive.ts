import { AppError, messageOf } from '../core/errors.ts'
import { hopAttribute, hopHeader, readHops } from '../core/hops.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Received, ReceivedRequest } from '../plugin/source.ts'
import type { Reception } from './api.ts'
import type { Ingest } from './ingest.ts'
import type { RunningSource } from './source-run.ts'
import type { Services } from './supervise.ts'

interface Around {
  readonly sources: readonly RunningSource[]
  readonly ingest: Ingest
  readonly log: Log
  readonly platform: Platform
  readonly services: Services
}

/** Lets a source read a request and commits its events: whoever asked is answered after that. */
export async function receiveRequest(
  { sources, ingest, log, platform, services }: Around,
  name: string,
  request: ReceivedRequest,
): Promise<Reception> {
  const receiver = sources.find((source) => source.name === name)
  const context = { name, log, clock: platform.clock, signal: services.signal }
  const source = receiver?.isPassive === true ? receiver.source : undefined
  if (receiver === undefined || source?.receive === undefined)
    throw new AppError('not-found', 'there is no source here that takes requests under this name')
  const { counts } = receiver
  let received: Received
  try {
    received = source.receive(request, context)
  } catch (error) {
    throw new AppError('plugin-failed', `the source ${name} failed on a request: ${messageOf(error)}`, { cause: error })
  }
  if (received.kind !== 'events') {
    if (received.kind !== 'answer') counts.refused += 1
    return received
  }
  const hops = readHops(request.headers[hopHeader])
  const dataTexts: (string | undefined)[] = []
  const inputs = received.events.map(({ dataText, ...event }) => {
    dataTexts.push(dataText)
    return {
      ...event,
      ...(hops > 0 && { meta: { ...event.meta, [hopAttribute]: hops } }),
      source: event.source ?? name,
    }
  })
  const { results } = await ingest.ingestInputs(inputs, undefined, dataTexts)
  for (const { status } of results) counts[status] += 1
  return { kind: 'results', results }
}
