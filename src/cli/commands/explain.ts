import type { Command } from 'commander'
import { withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { wholeNumber } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { storyText, type WireExplanation } from '../story.ts'

/** `explain`: where an event is and why. */
export function register(program: Command, io: CliIo): void {
  program
    .command('explain')
    .description('Tell where an event is and why: which patterns matched, every attempt, and what happens next.')
    .argument('<sequence>', 'the place of the event in the log; "millrace events" shows it')
    .option('--subscription <name>', 'only this subscription')
    .action(async (text: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions & { readonly subscription?: string }>(command)
      const sequence = wholeNumber(text, 'the sequence', 1)
      const query =
        options.subscription === undefined ? '' : `?${new URLSearchParams({ subscription: options.subscription })}`
      await withApi(io, options, 'read', async (api) => {
        const explanation = await api.call<WireExplanation>('GET', `/v1/explain/${sequence}${query}`)
        io.out(options.json === true ? JSON.stringify(explanation) : storyText(io, explanation))
      })
    })
}
