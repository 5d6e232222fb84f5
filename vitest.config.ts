import { defineConfig } from 'vitest/config'

const here = import.meta.dirname

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
