import type { Command } from 'commander'
import type { SubscriptionStatus } from '../../runtime/api.ts'
import { withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { count, counted } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'

/** `pause`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('pause')
    .description('Stop delivering to a subscription; it keeps its place in the log.')
    .argument('<subscription>', 'its name')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'write', async (api) => {
        const path = `/v1/subscriptions/${encodeURIComponent(name)}/pause`
        const status = await api.call<SubscriptionStatus>('POST', path)
        const { lag, open } = status
        if (options.json === true) io.out(JSON.stringify(status))
        else
          io.out(
            `Paused ${name}: it keeps its place; millrace resume goes on from there. Lag ${counted(lag, 'event')}, ${count(open)} open.`,
          )
      })
    })
}
