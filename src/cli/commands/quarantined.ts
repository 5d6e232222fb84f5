import type { Command } from 'commander'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { wholeNumber } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, table } from '../table.ts'

interface ListOptions extends CommonOptions {
  readonly limit?: string
  readonly after?: string
}

interface Quarantined {
  readonly sequence: string
  readonly recordedtime: string
  readonly data: {
    readonly type: string
    readonly version: number
    readonly problems: readonly { readonly path: string; readonly message: string }[]
    readonly event: { readonly id: string; readonly source: string }
  }
}

/** `quarantined list|redrive`: events that did not fit the schema of their type and were kept aside. */
export function register(program: Command, io: CliIo): void {
  const quarantined = program
    .command('quarantined')
    .helpCommand(false)
    .description('List events that did not fit their schema and were kept aside; check and store them again.')
  quarantined
    .command('list')
    .description('List quarantined events in order of sequence.')
    .option('--after <sequence>', 'only those with a greater sequence')
    .option('--limit <count>', 'at most this many (default: 50)')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<ListOptions>(command)
      await withApi(io, options, 'read', (api) => list(io, api, options))
    })
  quarantined
    .command('redrive')
    .description('Check the originals again and store those that fit now.')
    .argument('<sequence...>', 'places in the log; "millrace quarantined list" shows them')
    .action(async (texts: readonly string[], _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      const sequences = texts.map((text) => wholeNumber(text, 'the sequence', 1))
      await withApi(io, options, 'write', async (api) => {
        for (const sequence of sequences) {
          const result = await api.call<{ readonly status: string; readonly sequence: number }>(
            'POST',
            `/v1/quarantined/${sequence}/redrive`,
          )
          if (options.json === true) io.out(JSON.stringify({ redriven: sequence, ...result }))
          else io.out(`${sequence}: ${result.status} as ${result.sequence}`)
        }
      })
    })
}

async function list(io: CliIo, api: Api, options: ListOptions): Promise<void> {
  const limit = options.limit === undefined ? 50 : wholeNumber(options.limit, 'the limit', 1)
  let after = options.after === undefined ? 0 : wholeNumber(options.after, 'the sequence', 0)
  const found: Quarantined[] = []
  while (found.length < limit) {
    const query = new URLSearchParams({ type: 'millrace.quarantined', after: String(after), limit: '100' })
    const page = await api.call<{ readonly events: readonly Quarantined[]; readonly next?: number }>(
      'GET',
      `/v1/events?${query}`,
    )
    found.push(...page.events)
    if (page.next === undefined) break
    after = page.next
  }
  const shown = found.slice(0, limit)
  if (options.json === true) {
    io.out(JSON.stringify({ quarantined: shown }))
    return
  }
  if (shown.length === 0) io.out('nothing is quarantined')
  else
    io.out(
      table<Quarantined>(
        io,
        [
          { title: 'sequence', value: ({ sequence }) => sequence },
          { title: 'type', value: ({ data }) => clean(`${data.type} v${data.version}`) },
          { title: 'source', value: ({ data }) => clean(data.event.source) },
          { title: 'id', value: ({ data }) => clean(data.event.id) },
          {
            title: 'why',
            value: ({ data }) =>
              clean(data.problems.map(({ path, message }) => `${path} ${message}`.trim()).join('; '), 120),
          },
        ],
        shown,
      ),
    )
}
