import { defineStore } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import { size } from '../plugin/values.ts'
import { openSqlite } from './sqlite/open.ts'

const options = schema.strictObject({
  path: schema
    .string()
    .min(1)
    .describe('The database file; made when it is missing, with its folder, for this user only.'),
  durability: schema
    .enum(['disk', 'process'])
    .default('disk')
    .describe('What an answer promises: disk survives a power cut, process survives the end of the process only.'),
  cacheSize: size('Memory for database pages, shared by writer and reader.').prefault('64MiB'),
  readOnly: schema.boolean().default(false).describe('Opens a store for reading beside the process that owns it.'),
  acceptLoss: schema
    .boolean()
    .default(false)
    .describe(
      'Opens a store although acknowledged events at its end are missing, for example after restoring an older copy.',
    ),
})

/** The embedded store: one SQLite file, synced before an append is answered. */
export const sqlite = defineStore({
  name: 'sqlite',
  summary: 'Keeps everything in one SQLite file on the local disk; an append is synced before it is answered.',
  options,
  example: { path: './.millrace/events.db' },
  open: ({ path, durability, cacheSize, readOnly, acceptLoss }, context) =>
    openSqlite({ path, durability, cacheBytes: cacheSize, readOnly, acceptLoss }, context),
})
