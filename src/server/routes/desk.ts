import { formatDuration } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import type { SubscriptionConfig } from '../../plugin/pipeline-schema.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { Expected } from '../../runtime/run-time/face.ts'
import type { Call } from '../context.ts'
import type { rotateCall } from '../desk-shapes.ts'
import { type Answer, headerOf, json } from '../http.ts'
import { attemptView } from '../views.ts'

/** `GET /v1/subscriptions/{name}`: to who may change it, also as it can be sent back. */
export async function readSubscription(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const name = nameOf(call)
  const status = await pipeline.subscription(name)
  if (status.origin !== 'api') return json(status)
  if (!call.caller.scopes.has('admin')) return json(status, 200, etag(status.etag ?? ''))
  const { etag: version, config } = await pipeline.configOf(name).catch((error: unknown) => {
    // Shown without what cannot be opened: the status says why.
    if (error instanceof AppError && error.code === 'secret-key-missing')
      return { etag: status.etag!, config: undefined }
    throw error
  })
  return json({ ...status, config }, 200, etag(version))
}

export async function putSubscription(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const config = call.body as SubscriptionConfig
  const made = await pipeline.subscribe(nameOf(call), config, expected(call))
  logAdmin(call, made.isNew ? 'made' : 'changed')
  const { subscription, secret } = made
  return json({ subscription, secret }, made.isNew ? 201 : 200, etag(made.etag))
}

export async function dropSubscription(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const name = nameOf(call)
  const { origin } = await pipeline.subscription(name)
  if (origin === 'api') await pipeline.unsubscribe(name, expected(call))
  else await pipeline.drop(name)
  logAdmin(call, 'dropped')
  return { status: 204 }
}

export async function testSubscription(call: Call): Promise<Answer> {
  const { messageId, ...attempt } = await call.context.pipeline.testDelivery(nameOf(call))
  logAdmin(call, 'sent a test')
  return json({ ...attemptView(attempt), messageId })
}

export async function rotateSecret(call: Call): Promise<Answer> {
  const { overlap, secret } = call.body as SchemaOutput<typeof rotateCall>
  const lasts = overlap === undefined ? undefined : formatDuration(overlap)
  const { etag: version, ...rotated } = await call.context.pipeline.rotateSecret(nameOf(call), {
    overlap: lasts,
    secret,
  })
  logAdmin(call, 'changed the secret', { oldUntil: rotated.oldUntil })
  return json(rotated, 200, etag(version))
}

export async function rotateSecretKey({ context, caller }: Call): Promise<Answer> {
  const answer = await context.pipeline.rotateSecretKey()
  context.log.info('admin: changed the key of stored secrets', { by: caller.name, ...answer })
  return json(answer)
}

function etag(version: string): Readonly<Record<string, string>> {
  return { ETag: `"${version}"` }
}

/** What the request asks of the version that is there. */
function expected({ request }: Call): Expected {
  const ifMatch = headerOf(request, 'if-match')?.trim()
  const isNew = headerOf(request, 'if-none-match')?.trim() === '*'
  return { ...(ifMatch !== undefined && { ifMatch: ifMatch.replace(/^"(.*)"$/, '$1') }), isNew }
}

/** Says in the log who did what to a subscription. */
export function logAdmin(call: Call, action: string, facts: Readonly<Record<string, unknown>> = {}): void {
  const { context, caller } = call
  context.log.info(`admin: ${action}`, { subscription: nameOf(call), by: caller.name, ...facts })
}

function nameOf({ params }: Call): string {
  return params[0] as string
}
