import { egressWarnings } from '../io/egress-warning.ts'
import { openHttpClient } from '../io/http-client.ts'
import { defineSource } from '../plugin/define.ts'
import { options } from './poll/options.ts'
import { createPoll } from './poll/read.ts'

/**
 * Asks an HTTP API for JSON again and again, and makes an event of each item that it has not seen.
 * - What stands where is said by a path (`$.items`, into the item or the answer) or an expression over item and answer.
 * - An item's id is what is configured, else a hash of the item. The same id is the same event for ever; with a version in
 *   it, each change of the item is an event.
 * - Where to go on is a cursor: a value of the answer (`cursor`) or the largest of a field of the items (`cursorField`).
 *   Pages are followed within one poll by `next`. Both are stored in the commit of the page's events.
 * - A time cursor is asked for with an overlap: rows of the same second, and rows that come late by less than the overlap,
 *   are not lost; those that come again are absorbed by their ids.
 * - An item that lacks what is configured, an answer that is no JSON, and every status but 2xx and 304 fail the poll: health
 *   shows why, the cursor stays, and the next try comes after a back-off or the server's Retry-After.
 */
export const poll = defineSource({
  name: 'poll',
  summary: 'Asks an HTTP API for JSON again and again, and makes an event of each new item.',
  options,
  example: {
    url: 'https://api.example.com/orders',
    every: '30s',
    items: '$.items',
    id: '$.id',
    eventType: 'order.changed',
    cursorField: '$.updated_at',
  },
  create: (checked, { platform, egress }) =>
    createPoll({ options: checked, platform, client: openHttpClient({ egress, connections: 1 }) }),
  warn: ({ url }, { egress }) => egressWarnings(url, egress, 'nothing can be read'),
})
