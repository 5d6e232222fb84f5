import { resolve } from 'node:path'
import type { Json } from '../core/event.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { size } from '../plugin/values.ts'
import { type ContentFolder, contentFolder, referencePattern } from './claim-check/folder.ts'

const options = schema.strictObject({
  mode: schema
    .enum(['store', 'load'])
    .describe('store (default): large data goes into the folder and a reference stays; load: the data comes back.')
    .default('store'),
  folder: schema.string().min(1).describe('The folder, relative to the configuration.'),
  above: size('Data larger than this is stored. Default: 64KiB.').default(64 * 1024),
})

/**
 * Takes large data out of an event: it goes into a folder under its SHA-256, and the reference `sha256:…` into
 * `meta.dataref`. The same stage in the mode `load` puts it back, checked.
 */
export const claimCheck = defineStage({
  name: 'claim-check',
  summary: 'Puts large data into a folder and a reference to it into the event, or brings it back.',
  options,
  example: { folder: './.millrace/blobs', above: '64KiB' },
  create({ mode, folder: path, above }, { directory }) {
    const folder = contentFolder(resolve(directory, path))
    return { process: (input) => (mode === 'store' ? store(input, folder, above) : load(input, folder)) }
  },
})

async function store({ event }: StageInput, folder: ContentFolder, above: number): Promise<StageResult | undefined> {
  const { data } = event.record
  if (data === undefined || data.length <= above / 4) return undefined
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  if (bytes.length <= above) return undefined
  const dataref = await folder.put(bytes)
  return {
    outcome: 'ack',
    event: {
      data: undefined,
      meta: { ...event.meta, dataref, datarefsize: bytes.length, datarefjson: typeof data === 'string' },
    },
  }
}

async function load({ event }: StageInput, folder: ContentFolder): Promise<StageResult | undefined> {
  const { dataref, datarefsize: _, datarefjson, ...meta } = event.meta
  if (dataref === undefined) return undefined
  if (typeof dataref !== 'string' || !referencePattern.test(dataref))
    return { outcome: 'reject', reason: 'meta.dataref is not a reference of the form sha256:…' }
  const bytes = await folder.get(dataref)
  if (bytes === 'changed')
    return { outcome: 'reject', reason: `what is stored as ${dataref} is not what was put there` }
  const data = datarefjson === false ? bytes : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Json)
  return { outcome: 'ack', event: { data, meta: meta as Readonly<Record<string, Json>> } }
}
