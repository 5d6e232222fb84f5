import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { SourceBatch } from '../plugin/source.ts'

/** Events posted to `/v1/events` of the server. */
export const http = defineSource({
  name: 'http',
  summary: 'Takes the events that are posted to /v1/events with this name as their source.',
  options: schema.strictObject({}),
  example: {},
  isPassive: true,
  create: () => ({
    async *read(): AsyncGenerator<SourceBatch> {},
  }),
})
