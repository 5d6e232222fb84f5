import { replayLedger } from '../../core/replay-name.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { Selection } from '../../runtime/api.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { recorded } from '../recorded.ts'
import type { deadOwner } from '../replay-shapes.ts'
import type { deadSearch, namePage } from '../schemas.ts'
import { isGuarded, viewOf } from '../shown.ts'
import { deadText } from '../views.ts'
import { readSubscription } from './desk.ts'

export async function listSubscriptions({ context, query }: Call): Promise<Answer> {
  const { after = '', limit } = query as SchemaOutput<typeof namePage>
  const all = await context.pipeline.subscriptions()
  const sorted = all.filter(({ name }) => name > after).sort((a, b) => (a.name < b.name ? -1 : 1))
  const subscriptions = sorted.slice(0, limit)
  return json({ subscriptions, next: sorted.length > limit ? subscriptions.at(-1)?.name : undefined })
}

export async function pauseSubscription(call: Call): Promise<Answer> {
  await recorded(call, 'subscription.paused', () => call.context.pipeline.pause(nameOf(call.params)))
  return readSubscription(call)
}

export async function resumeSubscription(call: Call): Promise<Answer> {
  await recorded(call, 'subscription.resumed', () => call.context.pipeline.resume(nameOf(call.params)))
  return readSubscription(call)
}

export async function listDead(call: Call): Promise<Answer> {
  const { context, params, query } = call
  const shown = viewOf(call)
  const { replay, ...search } = query as SchemaOutput<typeof deadSearch>
  const name = ledgerOf(nameOf(params), replay)
  // One more than asked for tells whether there is a next page.
  const rows = await context.pipeline.dead(name, { ...search, limit: search.limit + 1 })
  const page = rows.slice(0, search.limit)
  const next = rows.length > search.limit ? `,"next":${page.at(-1)?.sequence}` : ''
  return {
    status: 200,
    type: 'application/json',
    body: `{"dead":[${page.map((row) => deadText(row, shown, isGuarded(call))).join(',')}]${next}}`,
  }
}

export async function redriveDead(call: Call): Promise<Answer> {
  const selection = call.body as Selection
  const redrive = () => call.context.pipeline.redrive(ownerOf(call), selection)
  return json(await recorded(call, 'dead.redriven', redrive, (answer) => ({ ...asked(call, selection), ...answer })))
}

export async function discardDead(call: Call): Promise<Answer> {
  const selection = call.body as Selection
  const discard = () => call.context.pipeline.discard(ownerOf(call), selection)
  return json(await recorded(call, 'dead.discarded', discard, (answer) => ({ ...asked(call, selection), ...answer })))
}

function asked({ query }: Call, { sequences = [], ...selection }: Selection) {
  const some = sequences.length === 0 ? {} : { sequences: sequences.slice(0, 100), sequenceCount: sequences.length }
  return { ...selection, ...some, ...(query as SchemaOutput<typeof deadOwner>) }
}

/** Whose dead letters a call is about. */
function ownerOf({ params, query }: Call): string {
  return ledgerOf(nameOf(params), (query as SchemaOutput<typeof deadOwner>).replay)
}

function ledgerOf(name: string, replay: string | undefined): string {
  return replay === undefined ? name : replayLedger(name, replay)
}

function nameOf(params: readonly string[]): string {
  return params[0] as string
}
