import { hash } from 'node:crypto'
import { eventToJson } from '../core/cloud-event.ts'
import type { Outcome } from '../core/outcome.ts'
import { readLedgerName } from '../core/replay-name.ts'
import { locateCommand } from '../io/command-options.ts'
import { type Launcher, openLauncher } from '../io/process/launch.ts'
import { createOwner, type Owner } from '../io/process/owner.ts'
import { defineSink } from '../plugin/define.ts'
import type { Delivery, Sink, SinkContext } from '../plugin/sink.ts'
import { type CommandSinkOptions, commandSinkOptions } from './command/options.ts'
import { commandOutcome, secretsOf } from './command/outcome.ts'
import { fill, fillArguments } from './command/placeholders.ts'

/** Runs a program for each event, or for each batch of events. */
export const command = defineSink({
  name: 'command',
  summary: 'Runs a program for each event, or for each batch, with the event on its standard input.',
  delivers:
    'At least once. An event is done when the program ends with exit code 0; 65 means dead letter, any other end is ' +
    'repeated by the retry policy with the same MILLRACE_RUN_ID. After a crash a program whose end was not recorded is ended, ' +
    'if it still runs, and run again, or a dead letter with `idempotent: false`. At the timeout it is stopped with every process it started.',
  options: commandSinkOptions,
  example: { command: ['./on-event.sh', '{type}'] },
  batchOf: ({ batch }) => batch && { size: batch.size, waitMs: batch.wait },
  defaults: {
    concurrency: 1,
    timeoutMs: 60_000,
    retry: { attempts: 5, delaysMs: [10_000, 60_000, 600_000, 3_600_000] },
    breaker: { failures: 5, openMs: 600_000 },
  },
  create: (options, { directory }): Sink => createCommand(options, directory),
})

interface Ready {
  readonly file: string
  readonly directory: string
  readonly owner: Owner
  readonly launcher: Launcher
}

/** Beyond the grace between SIGTERM and SIGKILL: for a process to be gone, and for telling so. */
const endMs = 10_000

function createCommand(options: CommandSinkOptions, directory: string): Sink {
  const { command: list, batch, env = {}, output, grace } = options
  const secrets = secretsOf(env)
  let ready: Ready | undefined
  const prepare = (name: string): Ready => ({
    ...locateCommand(`subscription ${name}`, list, { cwd: options.cwd, directory }),
    owner: createOwner(directory, name),
    launcher: openLauncher(),
  })
  return {
    // Until nothing of it runs any more, it is not run again.
    abortGraceMs: grace + endMs,
    isRepeatable: options.idempotent,
    async open({ name, log }) {
      ready = prepare(name)
      const found = await ready.owner.endAbandoned()
      if (found > 0)
        log.warn(`subscription ${name} ended commands that an earlier process had left running`, { commands: found })
    },
    async deliver(deliveries, context) {
      ready ??= prepare(context.name)
      const filled = requestOf(deliveries, list.slice(1), env)
      if (!filled.ok) return deliveries.map((): Outcome => ({ outcome: 'reject', reason: filled.problem }))
      const { signal } = context
      const result = await ready.launcher.run(
        {
          file: ready.file,
          args: filled.args,
          directory: ready.directory,
          env: filled.env,
          marks: marksOf(deliveries, context, batch !== undefined),
          mark: ready.owner.nextMark(),
          input: inputOf(deliveries, context.body),
          graceMs: grace,
          outputBytes: output,
        },
        signal,
      )
      const outcome = commandOutcome(result, options, secrets, abortReason(signal))
      // What it wrote is kept once, not once for every event of a batch.
      const brief = { ...outcome, detail: { exitCode: outcome.detail?.['exitCode'] } }
      return deliveries.map((_, index) => (index === 0 ? outcome : brief))
    },
    async close() {
      const { owner, launcher } = ready ?? {}
      ready = undefined
      await owner?.endAll()
      await launcher?.close()
    },
  }
}

/** A line for each event; or what a template makes of the whole batch. */
function inputOf(deliveries: readonly Delivery[], body: string | undefined): string {
  if (body !== undefined) return `${body}\n`
  return deliveries.map((delivery) => `${delivery.body ?? eventToJson(delivery.event)}\n`).join('')
}

type Request =
  | { readonly ok: true; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly problem: string }

/** Arguments and variables; placeholders are there only when there is one event. */
function requestOf(
  deliveries: readonly Delivery[],
  templates: readonly string[],
  env: Readonly<Record<string, string>>,
): Request {
  const { event } = deliveries[0]!
  const filled = fillArguments(templates, event)
  if (!filled.ok) return filled
  const variables: Record<string, string> = {}
  for (const [name, template] of Object.entries(env)) {
    const value = fill(template, event)
    if (!value.ok) return value
    variables[name] = value.text
  }
  return { ok: true, args: filled.args, env: variables }
}

/** What Millrace says of the delivery. In a batch only what holds for all of it. */
function marksOf(deliveries: readonly Delivery[], { name }: SinkContext, isBatch: boolean): Record<string, string> {
  const ids = deliveries.map(({ messageId }) => messageId)
  const { event, messageId } = deliveries[0]!
  const marks = {
    MILLRACE_SUBSCRIPTION: readLedgerName(name).subscription,
    MILLRACE_RUN_ID: `run_${hash('sha256', ids.join(' '), 'base64url').slice(0, 32)}`,
    MILLRACE_ATTEMPT: String(Math.max(...deliveries.map(({ attempt }) => attempt))),
    ...(event.replayid !== undefined && { MILLRACE_REPLAY_ID: event.replayid }),
  }
  if (isBatch) return { ...marks, MILLRACE_BATCH: String(deliveries.length) }
  const { id, type, source, subject, sequence } = event
  const said: Record<string, string> = {
    ...marks,
    MILLRACE_MESSAGE_ID: messageId,
    MILLRACE_ID: id,
    MILLRACE_TYPE: type,
    MILLRACE_SOURCE: source,
    MILLRACE_SEQUENCE: String(sequence),
  }
  if (subject !== undefined) said['MILLRACE_SUBJECT'] = subject
  return said
}

function abortReason({ reason }: AbortSignal): string | undefined {
  return reason instanceof Error ? reason.message : undefined
}
