import { randomUUID } from 'node:crypto'
import { AppError } from '../core/errors.ts'
import { type Json, timeText } from '../core/event.ts'
import { type AdminVerb, adminLogOf } from '../runtime/admin-log.ts'
import type { Call } from './context.ts'

/**
 * Does what an administrator asks for and writes down who did it, with what was there before and after: in the admin log of
 * the store, its beginning before anything is done and its end before the answer goes out, and in the log of the process.
 * What was refused is not written down. `action` may depend on what was there before.
 */
export async function recorded<T>(
  call: Call,
  action: AdminVerb | ((before: Json | undefined) => AdminVerb),
  task: () => Promise<T>,
  factsOf: (result: T) => object = () => ({}),
): Promise<T> {
  const { context, caller, params } = call
  // Routes of administrators begin with the name of a subscription, or have none.
  const subscription = call.request.path.startsWith('/v1/subscriptions/') ? params[0] : undefined
  const before = await seen(call, subscription)
  const verb = typeof action === 'string' ? action : action(before)
  const log = adminLogOf(context.pipeline.store)
  const [id, at] = [randomUUID(), timeText(Date.now())]
  const begun = { actor: caller.name, action: verb, subscription, before }
  await log.begin(id, begun, at)
  let result: T
  try {
    result = await task()
  } catch (error) {
    // Of what may be done all the same, what was begun stays, and is an entry after the next start.
    const isUnknown = error instanceof AppError && error.code === 'store-indeterminate'
    if (!isUnknown) await log.forget(id).catch(() => undefined)
    throw error
  }
  const facts = factsOf(result)
  const after = await seen(call, subscription)
  const entry = { ...begun, after, ...(Object.keys(facts).length > 0 && { facts: facts as Json }) }
  await log.end(id, entry, at)
  context.log.info(`admin: ${verb}`, { subscription, by: caller.name, ...facts })
  return result
}

/** A subscription as it is, without secrets, and without addresses and header values, which may be some. */
async function seen({ context: { pipeline } }: Call, name: string | undefined): Promise<Json | undefined> {
  if (name === undefined) return undefined
  try {
    const { state, reason, origin, etag, options, counters } = await pipeline.subscription(name)
    const about = { state, reason, dead: counters.dead, etag }
    if (origin !== 'api') return about as unknown as Json
    const { config } = await pipeline.configOf(name)
    return { ...about, config: { ...config, sink: { type: sinkType(config), ...options } } } as unknown as Json
  } catch (error) {
    // It is not there, or cannot be opened: that is what is to be seen.
    if (error instanceof AppError && error.code === 'subscription-unknown') return undefined
    if (error instanceof AppError && error.code === 'secret-key-missing') return { reason: error.message }
    throw error
  }
}

function sinkType(config: { readonly [key: string]: Json }): Json {
  return (config['sink'] as { readonly type: string }).type
}
