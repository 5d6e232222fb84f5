import type { Command } from 'commander'
import type { CliIo } from './io.ts'

/** What every file in `commands/` exports. */
export interface CommandModule {
  register(program: Command, io: CliIo): void
}

/** One command: what the list of commands says of it, and where it is. Only the one that is used is loaded. */
export interface CommandEntry {
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

/** Every command, in the order of the help. */
export const commandTable: Readonly<Record<string, CommandEntry>> = {
  run: { summary: 'run the pipeline with its server until Ctrl-C', load: () => import('./commands/run.ts') },
  init: { summary: 'write a commented starter configuration', load: () => import('./commands/init.ts') },
  check: { summary: 'report every problem of a configuration', load: () => import('./commands/check.ts') },
  list: { summary: 'list sources, sinks, stages and stores', load: () => import('./commands/list.ts') },
  describe: { summary: 'describe one source, sink, stage or store', load: () => import('./commands/describe.ts') },
  new: { summary: 'write a starting plug-in file', load: () => import('./commands/new.ts') },
  schema: {
    summary: 'print the JSON Schema; check and type event schemas',
    load: () => import('./commands/schema.ts'),
  },
  publish: { summary: 'publish events from arguments, a file or stdin', load: () => import('./commands/publish.ts') },
  events: { summary: 'search the log', load: () => import('./commands/events.ts') },
  tail: { summary: 'follow the log live', load: () => import('./commands/tail.ts') },
  subscriptions: { summary: 'show state and lag of subscriptions', load: () => import('./commands/subscriptions.ts') },
  secrets: { summary: 'encrypt stored secrets with a new key', load: () => import('./commands/secrets.ts') },
  stats: { summary: 'show counters of log, sources and subscriptions', load: () => import('./commands/stats.ts') },
  top: { summary: 'show log and subscriptions live', load: () => import('./commands/top.ts') },
  dead: { summary: 'list, show, redrive or discard dead letters', load: () => import('./commands/dead.ts') },
  replay: { summary: 'deliver a range of the log again, as a job', load: () => import('./commands/replay.ts') },
  replays: { summary: 'show, pause, resume or cancel replays', load: () => import('./commands/replays.ts') },
  state: { summary: 'show what stages keep', load: () => import('./commands/state.ts') },
  rebuild: { summary: 'build what a projection keeps again', load: () => import('./commands/rebuild.ts') },
  quarantined: { summary: 'list or redrive events that did not fit', load: () => import('./commands/quarantined.ts') },
  explain: { summary: 'tell where an event is and why', load: () => import('./commands/explain.ts') },
  audit: { summary: 'prove that the books balance', load: () => import('./commands/audit.ts') },
  'admin-log': { summary: 'show who changed what, and when', load: () => import('./commands/admin-log.ts') },
  pause: { summary: 'stop delivering without losing the position', load: () => import('./commands/pause.ts') },
  resume: { summary: 'deliver again', load: () => import('./commands/resume.ts') },
  backup: { summary: 'copy a store while it runs', load: () => import('./commands/backup.ts') },
  verify: { summary: 'check the integrity of a store', load: () => import('./commands/verify.ts') },
  bench: { summary: 'measure this machine', load: () => import('./commands/bench.ts') },
}
