import { createCatalogue } from './plugin/catalogue.ts'
import { command as commandSink } from './sinks/command.ts'
import { consoleSink } from './sinks/console.ts'
import { desktop } from './sinks/desktop.ts'
import { file } from './sinks/file.ts'
import { pull } from './sinks/pull.ts'
import { sse } from './sinks/sse.ts'
import { webhook } from './sinks/webhook.ts'
import { command as commandSource } from './sources/command.ts'
import { cron } from './sources/cron.ts'
import { directory } from './sources/directory.ts'
import { generate } from './sources/generate.ts'
import { http } from './sources/http.ts'
import { poll } from './sources/poll.ts'
import { sse as sseSource } from './sources/sse.ts'
import { stdin } from './sources/stdin.ts'
import { tail } from './sources/tail.ts'
import { watch } from './sources/watch.ts'
import { webhook as webhookSource } from './sources/webhook.ts'
import { aggregate } from './stages/aggregate.ts'
import { call } from './stages/call.ts'
import { claimCheck } from './stages/claim-check.ts'
import { dedupe } from './stages/dedupe.ts'
import { delay } from './stages/delay.ts'
import { enrich } from './stages/enrich.ts'
import { filter } from './stages/filter.ts'
import { latest } from './stages/latest.ts'
import { map } from './stages/map.ts'
import { redact } from './stages/redact.ts'
import { reorder } from './stages/reorder.ts'
import { saga } from './stages/saga.ts'
import { split } from './stages/split.ts'
import { throttle } from './stages/throttle.ts'
import { validate } from './stages/validate.ts'
import { memory } from './stores/memory.ts'
import { sqlite } from './stores/sqlite.ts'

/** Every built-in plug-in, one line each. */
export const builtIn = [
  memory,
  sqlite,

  cron,
  commandSource,
  directory,
  generate,
  http,
  poll,
  sseSource,
  stdin,
  tail,
  watch,
  webhookSource,

  aggregate,
  call,
  claimCheck,
  dedupe,
  delay,
  enrich,
  filter,
  latest,
  map,
  redact,
  reorder,
  saga,
  split,
  throttle,
  validate,

  commandSink,
  consoleSink,
  desktop,
  file,
  pull,
  sse,
  webhook,
] as const

/** The catalogue of the built-in plug-ins. */
export const builtInCatalogue = createCatalogue(builtIn)
