import type { SchemaOutput } from '../../plugin/schema.ts'
import type { Selection } from '../../runtime/api.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import type { deadSearch, namePage } from '../schemas.ts'
import { deadText } from '../views.ts'

export async function listSubscriptions({ context, query }: Call): Promise<Answer> {
  const { after = '', limit } = query as SchemaOutput<typeof namePage>
  const all = await context.pipeline.subscriptions()
  const sorted = all.filter(({ name }) => name > after).sort((a, b) => (a.name < b.name ? -1 : 1))
  const subscriptions = sorted.slice(0, limit)
  return json({ subscriptions, next: sorted.length > limit ? subscriptions.at(-1)?.name : undefined })
}

export async function readSubscription({ context, params }: Call): Promise<Answer> {
  return json(await context.pipeline.subscription(nameOf(params)))
}

export async function pauseSubscription(call: Call): Promise<Answer> {
  await call.context.pipeline.pause(nameOf(call.params))
  logAdmin(call, 'paused')
  return readSubscription(call)
}

export async function resumeSubscription(call: Call): Promise<Answer> {
  await call.context.pipeline.resume(nameOf(call.params))
  logAdmin(call, 'resumed')
  return readSubscription(call)
}

export async function listDead({ context, params, query }: Call): Promise<Answer> {
  const search = query as SchemaOutput<typeof deadSearch>
  const name = nameOf(params)
  // One more than asked for tells whether there is a next page.
  const rows = await context.pipeline.dead(name, { ...search, limit: search.limit + 1 })
  const page = rows.slice(0, search.limit)
  const next = rows.length > search.limit ? `,"next":${page.at(-1)?.sequence}` : ''
  return { status: 200, type: 'application/json', body: `{"dead":[${page.map(deadText).join(',')}]${next}}` }
}

export async function redriveDead(call: Call): Promise<Answer> {
  const answer = await call.context.pipeline.redrive(nameOf(call.params), call.body as Selection)
  logAdmin(call, 'redrove dead letters', answer)
  return json(answer)
}

export async function discardDead(call: Call): Promise<Answer> {
  const answer = await call.context.pipeline.discard(nameOf(call.params), call.body as Selection)
  logAdmin(call, 'discarded dead letters', answer)
  return json(answer)
}

function logAdmin(
  { context, caller, params }: Call,
  action: string,
  facts: Readonly<Record<string, unknown>> = {},
): void {
  context.log.info(`admin: ${action}`, { subscription: nameOf(params), by: caller.name, ...facts })
}

function nameOf(params: readonly string[]): string {
  return params[0] as string
}
