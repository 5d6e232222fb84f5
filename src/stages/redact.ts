import type { Json } from '../core/event.ts'
import { defineStage } from '../plugin/define.ts'
import { changeAt, type EventPath, pathOption } from '../plugin/event-path.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'

const path = pathOption('A place: data.customer.email, data.items[*].card or meta.ip.', ['data', 'meta'])

/** Takes values out of an event, or puts a mask in their place, before later steps see it. */
export const redact = defineStage({
  name: 'redact',
  summary: 'Removes or masks values in data and meta.',
  isPure: true,
  options: schema
    .strictObject({
      remove: schema.array(path).describe('Places whose value is taken out.').optional(),
      mask: schema.array(path).describe('Places whose value is replaced by the mask.').optional(),
      replacement: schema.string().max(100).describe('The mask.').default('***'),
    })
    .refine(({ remove, mask }) => remove !== undefined || mask !== undefined, {
      error: 'say what to remove or to mask',
    }),
  example: { mask: ['data.customer.email'] },
  create({ remove = [], mask = [], replacement }) {
    const changes = [
      ...remove.map((place) => ({ place, change: (): Json | undefined => undefined })),
      ...mask.map((place) => ({ place, change: (): Json => replacement })),
    ]
    return { process: (input) => redacted(input, changes) }
  },
})

interface Change {
  readonly place: EventPath
  readonly change: (before: Json) => Json | undefined
}

function redacted({ event }: StageInput, changes: readonly Change[]): StageResult {
  const inData = changes.filter(({ place }) => place.root === 'data')
  const inMeta = changes.filter(({ place }) => place.root === 'meta')
  // Bytes cannot be looked into, and what must not go on does not.
  if (inData.length > 0 && event.record.data instanceof Uint8Array)
    return { outcome: 'reject', reason: 'the data is not JSON: nothing in it can be redacted' }
  const apply = (value: Json | undefined, list: readonly Change[]): Json | undefined =>
    list.reduce((before, { place, change }) => changeAt(before, place.steps, change), value)
  return {
    outcome: 'ack',
    event: {
      ...(inData.length > 0 && { data: apply(event.data, inData) }),
      ...(inMeta.length > 0 && { meta: (apply(event.meta, inMeta) ?? {}) as Readonly<Record<string, Json>> }),
    },
  }
}
