import { formatDuration } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import type { SubscriptionConfig } from '../../plugin/pipeline-schema.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { Expected } from '../../runtime/run-time/face.ts'
import type { Call } from '../context.ts'
import type { rotateCall } from '../desk-shapes.ts'
import { type Answer, headerOf, json } from '../http.ts'
import { recorded } from '../recorded.ts'
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
  const made = await recorded(
    call,
    (before) => (before === undefined ? 'subscription.made' : 'subscription.changed'),
    () => pipeline.subscribe(nameOf(call), config, expected(call)),
  )
  const { subscription, secret } = made
  return json({ subscription, secret }, made.isNew ? 201 : 200, etag(made.etag))
}

export async function dropSubscription(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const name = nameOf(call)
  const { origin } = await pipeline.subscription(name)
  await recorded(call, 'subscription.dropped', () =>
    origin === 'api' ? pipeline.unsubscribe(name, expected(call)) : pipeline.drop(name),
  )
  return { status: 204 }
}

export async function testSubscription(call: Call): Promise<Answer> {
  const { messageId, ...attempt } = await recorded(
    call,
    'subscription.tested',
    () => call.context.pipeline.testDelivery(nameOf(call)),
    ({ outcome, messageId: id }) => ({ outcome, messageId: id }),
  )
  return json({ ...attemptView(attempt), messageId })
}

export async function rotateSecret(call: Call): Promise<Answer> {
  const { overlap, secret } = call.body as SchemaOutput<typeof rotateCall>
  const lasts = overlap === undefined ? undefined : formatDuration(overlap)
  const { etag: version, ...rotated } = await recorded(
    call,
    'secret.rotated',
    () => call.context.pipeline.rotateSecret(nameOf(call), { overlap: lasts, secret }),
    ({ oldUntil }) => ({ oldUntil }),
  )
  return json(rotated, 200, etag(version))
}

export async function rotateSecretKey(call: Call): Promise<Answer> {
  const rotate = () => call.context.pipeline.rotateSecretKey()
  return json(await recorded(call, 'secret-key.rotated', rotate, (answer) => ({ ...answer })))
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

function nameOf({ params }: Call): string {
  return params[0] as string
}
