import { existsSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { AppError, messageOf } from '../../core/errors.ts'
import { pipelineFromPlan } from '../../pipeline.ts'
import type { Pipeline } from '../../runtime/api.ts'
import { ensureAdminToken, openServer } from '../../server/index.ts'
import type { CliIo } from '../io.ts'
import { cliLog } from '../log.ts'
import { adminTokenPath, type CommonOptions, optionsOf, readSettings, type Settings } from '../settings.ts'
import { paint } from '../table.ts'

/** How long a stop waits for attempts under way. */
const stopDeadline = '10s'

export function register(program: Command, io: CliIo): void {
  program
    .command('run')
    .argument('[file]', 'the configuration file')
    .description('run the pipeline with its server, until SIGINT or SIGTERM')
    .option('--log <level>', 'debug, info, warn or error', 'info')
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions & { log: string }>(command)
      await run(io, file ?? options.config, options)
    })
}

async function run(io: CliIo, file: string | undefined, options: CommonOptions & { log: string }): Promise<void> {
  const level = (['debug', 'info', 'warn', 'error'] as const).find((known) => known === options.log)
  if (level === undefined)
    throw new AppError('usage', `--log ${options.log} is not known: use debug, info, warn or error`)
  const settings = await readSettings(io, file)
  const log = cliLog(io, level)
  const pipeline = pipelineFromPlan(settings.plan, { log, directory: settings.directory })
  const failed = watchForBugs(io)
  const { server: listen, limits } = settings.plan
  const adminToken = await ensureAdminToken(adminTokenPath(settings))
  await pipeline.start()
  let server: Awaited<ReturnType<typeof openServer>> | undefined
  try {
    server = await openServer(pipeline, {
      host: listen.host,
      port: listen.port,
      tokens: listen.tokens,
      limits,
      adminToken,
      log,
    })
    if (options.json)
      io.out(
        `${JSON.stringify({ url: server.url, store: pipeline.store.type, durability: pipeline.store.durability })}\n`,
      )
    else io.out(welcome(io, settings, pipeline, server.url))
    await Promise.race([aborted(io.signal), failed])
    if (!options.json) io.out('\nStopping: taking in nothing more, finishing what is under way …\n')
  } finally {
    const draining = server?.close(10_000)
    await pipeline.stop({ deadline: stopDeadline })
    await draining
  }
  if (!options.json) io.out('Stopped. Everything acknowledged is in the store.\n')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** A bug outside every net ends the process in an orderly way instead of leaving it half alive. */
function watchForBugs(io: CliIo): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(name, (error: unknown) => {
        io.err(`millrace met an error it does not handle, and stops: ${messageOf(error)}\n`)
        if (error instanceof Error && error.stack !== undefined) io.err(`${error.stack}\n`)
        io.setExit(1)
        resolve()
      })
    }
  })
}

function welcome(io: CliIo, settings: Settings, pipeline: Pipeline, url: string): string {
  const { plan, directory, file } = settings
  const store = pipeline.store
  const inbox = plan.sources.find(({ declaration }) => declaration.name === 'directory')
  const folder =
    inbox === undefined
      ? undefined
      : relative(io.cwd, resolve(directory, (inbox.options as { path: string }).path)) || '.'
  const command = existsSync(resolve(io.cwd, 'bin/millrace.js')) ? 'npm run -s millrace --' : 'npx millrace'
  const config = basename(file) === 'millrace.yaml' && directory === io.cwd ? '' : ` --config ${relative(io.cwd, file)}`
  const title = (text: string): string => paint(io, 'bold', text)
  const lines = [
    `${title('Millrace runs')} at ${title(url)}   store: ${store.type}, durability: ${store.durability}, ${store.head()} events`,
    '',
    `Sources        ${plan.sources.map(({ name, declaration }) => `${name} (${declaration.name})`).join(', ') || 'none'}`,
    `Subscriptions  ${plan.subscriptions.map(({ policy, sink }) => `${policy.name} (${policy.match.join(', ')} to ${sink?.declaration.name ?? 'stages'})`).join(', ') || 'none'}`,
    '',
    'Publish an event:',
    `  curl -X POST ${url}/v1/events -H 'content-type: application/json' \\`,
    `    -d '{"source":"shop","id":"1","type":"order.placed","subject":"order-1","data":{"total":120}}'`,
    ...(folder === undefined ? [] : ['Or drop a file:', `  echo '{"total": 80}' > ${folder}/order-2.json`]),
    'Look at it:',
    `  ${command} events${config}`,
    `  ${command} explain 1${config}`,
    'Ctrl-C stops.',
    '',
  ]
  return lines.map((line) => `${line}\n`).join('')
}
