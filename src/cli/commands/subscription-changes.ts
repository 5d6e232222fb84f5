import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { AppError, messageOf } from '../../core/errors.ts'
import type { SubscriptionStatus } from '../../runtime/api.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

interface RotateOptions extends CommonOptions {
  readonly overlap?: string
}

/** `subscriptions put|rm|test|rotate-secret`: subscriptions that are made while the pipeline runs. */
export function registerChanges(subscriptions: Command, io: CliIo): void {
  subscriptions
    .command('put')
    .description('Make a subscription while the pipeline runs, or change one that was made so.')
    .argument('<name>')
    .argument('<file>', 'the subscription as YAML or JSON, as it would stand in a configuration; - for stdin')
    .action(async (name: string, file: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      const config = await readConfig(io, file)
      await withApi(io, options, 'write', (api) => put(io, api, name, config, options.json === true))
    })
  subscriptions
    .command('rm')
    .description('End a subscription that was made while the pipeline ran, and forget what it delivered.')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'write', (api) => remove(io, api, name, options.json === true))
    })
  subscriptions
    .command('test')
    .description('Send a signed test the way deliveries go, and tell what came of it; exit code 1 when it failed.')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'write', (api) => test(io, api, name, options.json === true))
    })
  subscriptions
    .command('rotate-secret')
    .description('Sign with a new secret; the old one signs beside it for a while.')
    .argument('<name>')
    .option('--overlap <duration>', 'how long the old one signs, too (default: 24h)')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<RotateOptions>(command)
      await withApi(io, options, 'write', (api) => rotate(io, api, name, options))
    })
}

function pathOf(name: string, rest = ''): string {
  return `/v1/subscriptions/${encodeURIComponent(name)}${rest}`
}

async function readConfig(io: CliIo, file: string): Promise<unknown> {
  const text = file === '-' ? await textOf(io.stdin) : readText(resolve(io.cwd, file))
  try {
    return parse(text, { maxAliasCount: 50 }) as unknown
  } catch (error) {
    throw new AppError('usage', `reading the subscription failed: ${file} is not YAML or JSON: ${messageOf(error)}`)
  }
}

async function textOf(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stdin)).toString()
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new AppError('usage', `reading the subscription failed: ${messageOf(error)}. Give a file, or - for stdin.`)
  }
}

async function put(io: CliIo, api: Api, name: string, config: unknown, json: boolean): Promise<void> {
  const answer = await api.call<{ subscription: SubscriptionStatus; secret?: string }>('PUT', pathOf(name), config)
  if (json) return io.out(JSON.stringify(answer))
  const { subscription, secret } = answer
  const done = subscription.version === 1 ? 'Made' : 'Changed'
  io.out(`${done} ${clean(name)}: ${subscription.state}, sink ${subscription.sink}, version ${subscription.version}.`)
  if (secret !== undefined) io.out(`${paint(io, 'bold', 'secret')} ${secret}\nIt is shown here and never again.`)
}

async function remove(io: CliIo, api: Api, name: string, json: boolean): Promise<void> {
  const { origin } = await api.call<SubscriptionStatus>('GET', pathOf(name))
  if (origin !== 'api')
    throw new AppError(
      'state-conflict',
      `${name} was not made while the pipeline ran: take it out of the configuration, then "millrace subscriptions drop ${name}"`,
    )
  await api.call('DELETE', pathOf(name))
  io.out(json ? JSON.stringify({ removed: name }) : `Ended ${clean(name)}: what it delivered is forgotten.`)
}

interface TestAnswer {
  readonly outcome: string
  readonly durationMs: number
  readonly reason?: string
  readonly detail?: { readonly status?: number; readonly excerpt?: string }
}

async function test(io: CliIo, api: Api, name: string, json: boolean): Promise<void> {
  const answer = await api.call<TestAnswer>('POST', pathOf(name, '/test'))
  const isDone = answer.outcome === 'ack'
  if (!isDone) io.setExit(1)
  if (json) return io.out(JSON.stringify(answer))
  const { durationMs, reason, detail } = answer
  const status = detail?.status === undefined ? '' : ` with status ${detail.status}`
  if (isDone) io.out(`${paint(io, 'green', 'ok')} ${clean(name)} took the test${status} in ${durationMs} ms`)
  else io.out(`${paint(io, 'red', 'failed')} ${clean(name)}: ${clean(reason ?? answer.outcome)} after ${durationMs} ms`)
  if (detail?.excerpt !== undefined) io.out(clean(detail.excerpt, 1_024))
}

async function rotate(io: CliIo, api: Api, name: string, { overlap, json }: RotateOptions): Promise<void> {
  const body = overlap === undefined ? {} : { overlap }
  const answer = await api.call<{ secret: string; oldUntil: string }>('POST', pathOf(name, '/secret/rotate'), body)
  if (json === true) return io.out(JSON.stringify(answer))
  io.out(`${paint(io, 'bold', 'secret')} ${answer.secret}\nIt is shown here and never again.`)
  io.out(`Requests are signed with the old one, too, until ${answer.oldUntil}.`)
}
