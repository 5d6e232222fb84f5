import { AppError } from '../core/errors.ts'
import { type Json, timeText } from '../core/event.ts'
import { type AdminVerb, adminLogOf } from '../runtime/admin-log.ts'
import type { Call } from './context.ts'

/**
 * Does what an administrator asks for and writes down who did it, with what was there before and after: in the admin log of
 * the store before the answer goes out, and in the log of the process. What was refused is not written down.
 */
export async function recorded<T>(
  call: Call,
  action: (result: T) => AdminVerb,
  task: () => Promise<T>,
  factsOf: (result: T) => object = () => ({}),
): Promise<T> {
  const { context, caller, params } = call
  // Routes of administrators begin with the name of a subscription, or have none.
  const subscription = call.request.path.startsWith('/v1/subscriptions/') ? params[0] : undefined
  const before = await seen(call, subscription)
  const result = await task()
  const verb = action(result)
  const facts = factsOf(result)
  const after = await seen(call, subscription)
  const entry = {
    actor: caller.name,
    action: verb,
    subscription,
    before,
    after,
    ...(Object.keys(facts).length > 0 && { facts: facts as Json }),
  }
  await adminLogOf(context.pipeline.store).append(entry, timeText(Date.now()))
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
