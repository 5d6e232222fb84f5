import { configDefaults, defineConfig } from 'vitest/config'

const here = import.meta.dirname
// Threads of the store run from source, and a suite starts thousands: with what was compiled before each begins in 13
// instead of 100 ms, and none strips types, in which V8 sometimes crashed (WasmEngine::FreeDeadCode, Node 24.21).
process.env['NODE_COMPILE_CACHE'] ??= `${here}/node_modules/.cache/compile`

export default defineConfig({
  resolve: {
    conditions: ['millrace-source'],
    // Node finds the package by its own name from every file of it; this says the same to Vite.
    alias: [
      { find: /^millrace\/(stores|sources|sinks|stages)\/([\w-]+)$/, replacement: `${here}/src/$1/$2.ts` },
      { find: /^millrace\/(client|plugin|testing|server)$/, replacement: `${here}/src/$1/index.ts` },
      { find: /^millrace$/, replacement: `${here}/src/index.ts` },
    ],
  },
  ssr: { resolve: { conditions: ['millrace-source'], externalConditions: ['millrace-source'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // A suite of its own, `npm run test:elsewhere`: it needs the npm registry.
    exclude: [...configDefaults.exclude, 'test/elsewhere/**'],
    pool: 'forks',
    // Most files wait for processes and disks: with one core left free, two cores took half as long again.
    maxWorkers: '100%',
    execArgv: ['--conditions=millrace-source', '--expose-gc'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/core/**/*.ts'],
      // platform.ts is types only.
      exclude: ['**/*.test.ts', 'src/core/platform.ts'],
      thresholds: { branches: 100, functions: 100 },
    },
  },
})
