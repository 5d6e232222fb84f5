import type { Command } from 'commander'
import type { ListeningAddress } from '../../core/egress.ts'
import { AppError, messageOf } from '../../core/errors.ts'
import { formatIssue } from '../../core/issues.ts'
import type { Log } from '../../core/platform.ts'
import { logLevels } from '../../io/log.ts'
import { pipelineFromPlan } from '../../pipeline.ts'
import type { KeyEnvironment } from '../../plugin/secret-keys.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { Pipeline } from '../../runtime/api.ts'
import { addressUnavailable, ensureAdminToken, type OpenServer, openServer, rateOf } from '../../server/index.ts'
import { isThere } from '../api.ts'
import type { CliIo } from '../io.ts'
import { cliLog } from '../log.ts'
import { adminTokenPath, type CommonOptions, optionsOf, readSettings, type Settings, urlOf } from '../settings.ts'
import { clean } from '../table.ts'
import { watchTokens } from '../token-watch.ts'
import { welcome } from '../welcome.ts'

/** How long a stop waits for attempts and requests under way. */
const stopMs = 10_000
/** After a clean stop nothing keeps the process but a plug-in that left something open. */
const lingerMs = 1_000

interface RunOptions extends CommonOptions {
  readonly log: string
}

/** `run`: the pipeline with its server. */
export function register(program: Command, io: CliIo): void {
  program
    .command('run')
    .description(
      'Run the pipeline with its server. SIGTERM and SIGINT finish what is under way; a second one ends at once.',
    )
    .argument('[file]', 'the configuration (default: millrace.yaml in the working directory)')
    .option('--log <level>', `least level of what is logged: ${logLevels.join(', ')}`, 'info')
    .addHelpText('after', '\nThe variable PORT changes the port of the server.')
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const options = optionsOf<RunOptions>(command)
      await run(io, { ...options, config: file ?? options.config })
    })
}

async function run(io: CliIo, options: RunOptions): Promise<void> {
  const isJson = options.json === true
  const level = logLevels.find((known) => known === options.log)
  if (level === undefined) {
    throw new AppError('usage', `--log ${options.log} is not known: use one of ${logLevels.join(', ')}`)
  }
  keepInspectorShut()
  const settings = await readSettings(io, options)
  for (const warning of settings.warnings) io.err(`warning: ${clean(formatIssue(warning), 2_000)}`)
  const log = cliLog(io, level)
  const bug = watchForBugs(io, log)
  let server: OpenServer | undefined
  let endWatch = (): void => undefined
  const { directory, plan } = settings
  // What a program reads along holds events alone.
  const isForEvents = !io.isTty && printsEvents(settings)
  const say = (text: string): void => (isForEvents ? io.err(text) : io.out(text))
  const pipeline = pipelineFromPlan(plan, {
    log,
    directory,
    catalogue: builtInCatalogue,
    env: io.env as Partial<KeyEnvironment>,
    listening: () => listeningAt(plan.server.host, server),
  })
  try {
    await openStore(pipeline, settings)
    // Before any delivery: a port that is taken stops the start without a trace.
    server = await openFace(pipeline, settings, log)
    await pipeline.start()
    const allow = plan.egress.allow.map(({ text }) => text)
    if (allow.length > 0) log.info('outbound HTTP may also reach what egress.allow names', { allow })
    if (isJson) io.out(startedJson(settings, pipeline, server.url))
    else say(welcome(io, settings, pipeline.store, server.url))
    const face = server
    endWatch = watchTokens(
      settings.file,
      async () => (await readSettings(io, options)).plan.server.tokens,
      (tokens) => face.replaceTokens(tokens),
      log,
    )
    await Promise.race([aborted(io.signal), bug, pipeline.run()])
    if (!isJson) say('\nStopping: nothing new is taken in, and what is under way is finished. Again to end at once.')
  } finally {
    endWatch()
    const closing = server?.close(stopMs)
    await pipeline.stop({ deadline: `${stopMs}ms` })
    await closing
    setTimeout(() => io.exitNow(), lingerMs).unref()
  }
  if (!isJson) say('Stopped. Everything that was acknowledged is in the store.')
}

function startedJson(settings: Settings, pipeline: Pipeline, url: string): string {
  const { type, durability } = pipeline.store
  const { sources, subscriptions } = settings.plan
  return JSON.stringify({
    url,
    store: type,
    durability,
    head: pipeline.store.head(),
    sources: sources.map(({ name }) => name),
    subscriptions: subscriptions.map(({ policy }) => policy.name),
  })
}

/** True when events are printed on standard output. */
function printsEvents({ plan }: Settings): boolean {
  return plan.subscriptions.some(({ sink }) => sink?.declaration.name === 'console')
}

async function openStore(pipeline: Pipeline, settings: Settings): Promise<void> {
  try {
    await pipeline.open()
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'store-locked') throw error
    const { host, port } = settings.plan.server
    const url = urlOf(host, port)
    if (!(await isThere(url))) throw error
    throw new AppError(
      'store-locked',
      `${settings.file} runs already, at ${url}: stop that process first, or use its server`,
      {
        cause: error,
      },
    )
  }
}

async function openFace(pipeline: Pipeline, settings: Settings, log: Log): Promise<OpenServer> {
  const { server, limits } = settings.plan
  const adminToken = await ensureAdminToken(adminTokenPath(settings))
  try {
    return await openServer(pipeline, {
      ...server,
      limits,
      rate: rateOf(limits.rate),
      maxConnections: limits.connections,
      adminToken,
      log,
    })
  } catch (error) {
    const cause = error instanceof AppError && error.code === 'address-unavailable' ? error.cause : undefined
    if (cause === undefined || !(await isThere(urlOf(server.host, server.port)))) throw error
    throw addressUnavailable(server, cause as NodeJS.ErrnoException, 'another millrace')
  }
}

function listeningAt(host: string, server: OpenServer | undefined): ListeningAddress[] {
  return server === undefined ? [] : [{ host, port: Number(new URL(server.url).port || 80) }]
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Node opens its inspector at this signal, to whoever reaches the port; `--inspect` still does. SEC-81 */
function keepInspectorShut(): void {
  process.on('SIGUSR1', () => undefined)
}

/** A bug outside every net ends the process in an orderly way instead of leaving it half alive. SEC-43 */
function watchForBugs(io: CliIo, log: Log): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(name, (error: unknown) => {
        log.error('an error that nothing handles: the process stops', { kind: name, error: messageOf(error) })
        if (error instanceof Error && error.stack !== undefined) io.err(error.stack)
        io.setExit(1)
        resolve()
      })
    }
  })
}
