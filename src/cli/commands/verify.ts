import type { Command } from 'commander'
import type { VerifyReport } from '../../plugin/store.ts'
import { openStoreForReading, storePath } from '../api.ts'
import type { CliIo } from '../io.ts'
import { counted, span } from '../numbers.ts'
import { createProgress } from '../progress.ts'
import { type CommonOptions, optionsOf, readSettings, urlOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

/** `verify`: the integrity of a store. */
export function register(program: Command, io: CliIo): void {
  program
    .command('verify')
    .description(
      'Read the whole store and check it: structure, checksums, no gap in the log or in a stream. Exits 1 on a problem.',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      const settings = await readSettings(io, options)
      const { host, port } = settings.plan.server
      const startedAt = performance.now()
      const progress = createProgress(io, 'checked')
      const store = await openStoreForReading(settings, urlOf(host, port))
      try {
        const report = await store.verify((done, total) =>
          progress.show({ count: done, ...(total > 0 && { part: done / total }) }),
        )
        progress.end()
        if (!report.ok) io.setExit(1)
        const elapsed = span(performance.now() - startedAt)
        io.out(
          options.json === true ? JSON.stringify(report) : verifyText(io, report, storePath(settings) ?? '', elapsed),
        )
      } finally {
        progress.end()
        await store.close()
      }
    })
}

function verifyText(io: CliIo, report: VerifyReport, path: string, elapsed: string): string {
  const head = `${path}: ${counted(report.events, 'event')} read in ${elapsed}`
  if (report.ok) return `${head}\n${paint(io, 'green', 'The store is sound.')}`
  const problems = report.problems.map((problem) => `  ${paint(io, 'red', '✗')} ${clean(problem)}`)
  const advice = 'Keep a copy of the files as they are. The last good backup, or the sources, can fill what is missing.'
  return [head, ...problems, paint(io, 'red', 'The store is damaged.'), advice].join('\n')
}
