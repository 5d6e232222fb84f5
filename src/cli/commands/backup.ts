import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { formatSize } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import { openStoreForReading } from '../api.ts'
import type { CliIo } from '../io.ts'
import { count, span } from '../numbers.ts'
import { createProgress } from '../progress.ts'
import { type CommonOptions, optionsOf, readSettings, urlOf } from '../settings.ts'

/** `backup`: a consistent copy of a running store. */
export function register(program: Command, io: CliIo): void {
  program
    .command('backup')
    .description('Write a consistent copy of the store to a new file, also while the pipeline runs.')
    .argument('<file>', 'the copy; it must not exist')
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      const path = resolve(io.cwd, file)
      if (existsSync(path))
        throw new AppError('usage', `no backup was made: ${path} exists already. Choose a new name.`)
      const settings = await readSettings(io, options)
      const { host, port } = settings.plan.server
      const startedAt = performance.now()
      const progress = createProgress(io, 'pages')
      const store = await openStoreForReading(settings, urlOf(host, port))
      try {
        await store.backup(path, (done, total) =>
          progress.show({ count: done, ...(total > 0 && { part: done / total }) }),
        )
        progress.end()
        const { size } = statSync(path)
        const head = store.head()
        const elapsed = span(performance.now() - startedAt)
        if (options.json === true) io.out(JSON.stringify({ file: path, bytes: size, head }))
        else io.out(`Copied ${formatSize(size)}, events up to about ${count(head)}, to ${path} in ${elapsed}.`)
      } finally {
        progress.end()
        await store.close()
      }
    })
}
