import { egressWarnings } from '../io/egress-warning.ts'
import { openHttpClient } from '../io/http-client.ts'
import { defineSource } from '../plugin/define.ts'
import { options } from './sse/options.ts'
import { createReader } from './sse/read.ts'

/** The event stream of another server, also of another Millrace. */
export const sse = defineSource({
  name: 'sse',
  summary: 'Reads the server-sent events of another server, and goes on by their ids after a break or a restart.',
  options,
  example: { url: 'https://events.example.com/stream' },
  create(checked, { egress, platform }) {
    const client = openHttpClient({ egress, connections: 1 })
    return { read: createReader(checked, { client, platform }), close: () => client.close() }
  },
  warn: ({ url }, { egress }) => egressWarnings(url, egress, 'nothing can be read'),
})
