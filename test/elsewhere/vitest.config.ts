import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

// Programs that are too large to be dependencies of ours. They come from the npm registry, so this suite is not part of
// `npm test`. They run the packed package; nothing here loads our source.
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['test/elsewhere/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    // Packing, downloading and building.
    hookTimeout: 600_000,
  },
})
