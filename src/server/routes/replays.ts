import { batchToJson } from '../../core/cloud-event.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { ReplayAction, ReplayStatus } from '../../runtime/replay/face.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { recorded } from '../recorded.ts'
import type { replayCall, replayPage } from '../replay-shapes.ts'
import { viewOf } from '../shown.ts'

/** `POST /v1/subscriptions/{name}/replay`: begins one, or counts what it would deliver. */
export async function startReplay(call: Call): Promise<Answer> {
  const { dryRun, ...options } = call.body as SchemaOutput<typeof replayCall>
  const { pipeline } = call.context
  const name = nameOf(call)
  if (dryRun === true) {
    const { sample, ...found } = await pipeline.dryRunReplay(name, options, call.request.gone)
    const facts = JSON.stringify({ dryRun: true, ...found })
    return {
      status: 200,
      type: 'application/json',
      body: `${facts.slice(0, -1)},"sample":${batchToJson(sample.map(viewOf(call)))}}`,
    }
  }
  const replay = await recorded(
    call,
    'replay.started',
    () => pipeline.replay(name, options),
    ({ id, from, to }) => ({ ...options, replay: id, from, to }),
  )
  return json(replay, 201, { Location: `/v1/subscriptions/${encodeURIComponent(name)}/replays/${replay.id}` })
}

export async function listReplays(call: Call): Promise<Answer> {
  return pageOf(call, await call.context.pipeline.replays(nameOf(call)))
}

export async function listAllReplays(call: Call): Promise<Answer> {
  return pageOf(call, await call.context.pipeline.replays())
}

function pageOf({ query }: Call, all: readonly ReplayStatus[]): Answer {
  const { after, limit } = query as SchemaOutput<typeof replayPage>
  const older = after === undefined ? all : all.filter(({ id }) => id < after)
  const replays = older.slice(0, limit)
  return json({ replays, next: older.length > limit ? replays.at(-1)?.id : undefined })
}

export async function readReplay(call: Call): Promise<Answer> {
  return json(await call.context.pipeline.replayStatus(nameOf(call), idOf(call)))
}

export const pauseReplay = (call: Call): Promise<Answer> => control(call, 'pause')
export const resumeReplay = (call: Call): Promise<Answer> => control(call, 'resume')
export const cancelReplay = (call: Call): Promise<Answer> => control(call, 'cancel')

const verbs = { pause: 'replay.paused', resume: 'replay.resumed', cancel: 'replay.cancelled' } as const

async function control(call: Call, action: ReplayAction): Promise<Answer> {
  const act = () => call.context.pipeline.controlReplay(nameOf(call), idOf(call), action)
  return json(await recorded(call, verbs[action], act, ({ id, state }) => ({ replay: id, state })))
}

function nameOf({ params }: Call): string {
  return params[0] as string
}

function idOf({ params }: Call): string {
  return params[1] as string
}
