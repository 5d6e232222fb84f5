import { AppError } from '../../core/errors.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { RebuildAction } from '../../runtime/rebuild/face.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { recorded } from '../recorded.ts'
import { requireWhole } from '../shown.ts'
import type { rebuildCall, stateSearch } from '../state-shapes.ts'

export async function listState(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const name = nameOf(call)
  const stages = await pipeline.stateStages(name)
  const { foldVersion } = await pipeline.subscription(name)
  return json({ stages, foldVersion })
}

export async function readState(call: Call): Promise<Answer> {
  const stage = await stageOf(call)
  return json(
    await call.context.pipeline.state(nameOf(call), stage).list(call.query as SchemaOutput<typeof stateSearch>),
  )
}

/** Of all keys that begin with this one, it comes first itself. */
export async function readStateEntry(call: Call): Promise<Answer> {
  const stage = await stageOf(call)
  const key = call.params[2]!
  const { entries } = await call.context.pipeline.state(nameOf(call), stage).list({ prefix: key, limit: 1 })
  if (entries[0]?.key === key) return json(entries[0])
  throw new AppError('not-found', `stage ${stage} of ${nameOf(call)} keeps nothing under this key`)
}

export async function startRebuild(call: Call): Promise<Answer> {
  const status = await recorded(
    call,
    'rebuild.started',
    () => call.context.pipeline.rebuild(nameOf(call), call.body as SchemaOutput<typeof rebuildCall>),
    ({ from, version }) => ({ from, version }),
  )
  return json(status, 202, { Location: `/v1/subscriptions/${encodeURIComponent(nameOf(call))}/rebuild` })
}

export async function readRebuild(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const name = nameOf(call)
  await pipeline.subscription(name)
  const status = pipeline.rebuildStatus(name)
  if (status === undefined) throw new AppError('not-found', `there was no rebuild of ${name} since the start`)
  return json(status)
}

export const cancelRebuild = (call: Call): Promise<Answer> => control(call, 'cancel')
export const finishRebuild = (call: Call): Promise<Answer> => control(call, 'finish')

const verbs = { cancel: 'rebuild.cancelled', finish: 'rebuild.finished' } as const

async function control(call: Call, action: RebuildAction): Promise<Answer> {
  const act = () => call.context.pipeline.controlRebuild(nameOf(call), action)
  return json(await recorded(call, verbs[action], act, ({ state }) => ({ state })))
}

async function stageOf(call: Call): Promise<string> {
  requireWhole(call, 'what a stage keeps')
  const stage = call.params[1]!
  const known = await call.context.pipeline.stateStages(nameOf(call))
  if (known.includes(stage)) return stage
  const listed = known.length === 0 ? 'it keeps nothing' : `there are: ${known.join(', ')}`
  throw new AppError('not-found', `${nameOf(call)} has no stage ${stage} that keeps something; ${listed}`)
}

function nameOf({ params }: Call): string {
  return params[0]!
}
