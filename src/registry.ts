import { createCatalogue } from './plugin/catalogue.ts'
import { consoleSink } from './sinks/console.ts'
import { file } from './sinks/file.ts'
import { webhook } from './sinks/webhook.ts'
import { directory } from './sources/directory.ts'
import { generate } from './sources/generate.ts'
import { http } from './sources/http.ts'
import { stdin } from './sources/stdin.ts'
import { memory } from './stores/memory.ts'
import { sqlite } from './stores/sqlite.ts'

/** Every built-in plug-in, one line each. */
export const builtIn = [
  memory,
  sqlite,

  directory,
  generate,
  http,
  stdin,

  consoleSink,
  file,
  webhook,
] as const

/** The catalogue of the built-in plug-ins. */
export const builtInCatalogue = createCatalogue(builtIn)
