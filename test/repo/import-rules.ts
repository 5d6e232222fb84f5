/** A part of `src`: its folder, or one of the three files that stand beside the folders. */
export interface ImportRule {
  /** Parts it may import beside itself; `*` is any. */
  readonly may: readonly string[]
  /** Packages and `node:` modules it may import; `*` is any. */
  readonly packages: readonly string[]
  /** True when its files may not import each other except inside a folder of the importing file's own name. */
  readonly standAlone?: boolean
}

const adapters = { may: ['core', 'plugin', 'io'], packages: ['*'], standAlone: true } as const

/** Who may import whom. ARCHITECTURE.md prints the same table; a test compares them. */
export const importRules: Readonly<Record<string, ImportRule>> = {
  core: { may: [], packages: [] },
  plugin: { may: ['core'], packages: ['*'] },
  io: { may: ['core', 'plugin'], packages: ['*'] },
  stores: adapters,
  sources: adapters,
  stages: adapters,
  sinks: adapters,
  runtime: { may: ['core', 'plugin'], packages: [] },
  config: { may: ['core', 'plugin'], packages: ['*'] },
  client: { may: ['core'], packages: [] },
  testing: {
    may: ['core', 'plugin', 'io', 'runtime', 'config', 'stores', 'pipeline.ts', 'registry.ts'],
    packages: ['*'],
  },
  server: { may: ['core', 'plugin', 'config', 'runtime'], packages: ['*'] },
  cli: { may: ['*'], packages: ['*'] },
  'registry.ts': { may: ['plugin', 'stores', 'sources', 'stages', 'sinks'], packages: [] },
  'pipeline.ts': { may: ['core', 'plugin', 'runtime'], packages: ['*'] },
  'decider.ts': { may: ['core', 'plugin', 'runtime'], packages: [] },
  'index.ts': { may: ['core', 'plugin', 'runtime', 'pipeline.ts', 'decider.ts'], packages: [] },
}

/** Single imports that the table forbids, each with its reason. May only shrink. */
export const importWaivers: Readonly<Record<string, string>> = {
  'src/pipeline.ts imports src/server/index.ts':
    'pipeline.handler is the HTTP API: loaded at its first use, so that a program without HTTP never loads it',
}
