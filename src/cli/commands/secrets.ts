import type { Command } from 'commander'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'

/** `secrets rotate-key`: encrypts what is stored with a new key. */
export function register(program: Command, io: CliIo): void {
  program
    .command('secrets')
    .helpCommand(false)
    .description('The secrets of subscriptions that were made while the pipeline ran.')
    .command('rotate-key')
    .description(
      'Encrypt every stored secret with a new key, and forget the old one. With MILLRACE_SECRET_KEY="new old" the first of the two is taken.',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'write', (api) => rotateKey(io, api, options.json === true))
    })
}

async function rotateKey(io: CliIo, api: Api, json: boolean): Promise<void> {
  const answer = await api.call<{ changed: number; unreadable: number }>('POST', '/v1/secrets/rotate-key')
  const { changed, unreadable } = answer
  if (unreadable > 0) io.setExit(1)
  if (json) return io.out(JSON.stringify(answer))
  io.out(`The secrets of ${changed} subscriptions are encrypted with the new key.`)
  if (unreadable > 0) io.out(`Those of ${unreadable} could not be opened: their key is not there. The log says which.`)
}
