import { defineStore } from './define.ts'
import { schema } from './schema.ts'

/** A store that tests of configurations name and never open. */
export const unopenedStore = defineStore({
  name: 'memory',
  summary: 'Keeps nothing.',
  options: schema.strictObject({}),
  example: {},
  open: () => Promise.reject(new Error('not opened here')),
})
