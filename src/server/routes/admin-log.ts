import type { SchemaOutput } from '../../plugin/schema.ts'
import { adminLogOf } from '../../runtime/admin-log.ts'
import type { adminLogSearch } from '../admin-shapes.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'

/** `GET /v1/admin-log`: what administrators did, the newest first. */
export async function readAdminLog({ context, query }: Call): Promise<Answer> {
  const { after, limit } = query as SchemaOutput<typeof adminLogSearch>
  // One more than asked for tells whether there is a next page.
  const found = await adminLogOf(context.pipeline.store).list(limit + 1, after)
  const entries = found.slice(0, limit)
  return json({ entries, next: found.length > limit ? entries.at(-1)?.number : undefined })
}
