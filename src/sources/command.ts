import { locateCommand } from '../io/command-options.ts'
import { createOwner } from '../io/process/owner.ts'
import { defineSource } from '../plugin/define.ts'
import type { Source, SourceContext } from '../plugin/source.ts'
import { type CommandSourceOptions, commandSourceOptions } from './command/options.ts'
import { type Life, runOnce } from './command/run.ts'

/** Reads NDJSON from the output of a program that is started, and started again when it ends. */
export const command = defineSource({
  name: 'command',
  summary:
    'Reads NDJSON from the output of a program: a line that is an event is taken as it is, any other JSON is the data of ' +
    'one. The program is started again when it ends.',
  options: commandSourceOptions,
  example: { command: ['./changes.sh'], restart: 'always' },
  create: (options, { directory }): Source => createCommandSource(options, directory),
})

/** A run that lasted this long was healthy: the pause starts small again. */
const healthyMs = 60_000

function createCommandSource(options: CommandSourceOptions, directory: string): Source {
  const { command: list, restart, pause, env } = options
  // At once, so that a missing program keeps the pipeline from starting.
  const located = locateCommand('a source', list, { cwd: options.cwd, directory })
  let life: Life | undefined

  const begin = async ({ name, log }: SourceContext): Promise<Life> => {
    const owner = createOwner(directory, `source ${name}`)
    const found = await owner.endAbandoned()
    if (found > 0) log.warn(`source ${name} ended a program that an earlier process had left running`, { found })
    return { ...located, args: list.slice(1), env, owner }
  }
  return {
    async *read(cursor, context) {
      if (context.signal.aborted) return
      life ??= await begin(context)
      let newest = cursor
      for (let pauseMs = pause.first; !context.signal.aborted; pauseMs = Math.min(2 * pauseMs, pause.longest)) {
        const began = context.clock.monotonic()
        const run = yield* runOnce(life, options, newest, context)
        if (context.signal.aborted) return
        newest = run.cursor
        if (restart === 'never' || (restart === 'on-failure' && run.problem === undefined)) {
          if (run.problem !== undefined) context.log.error(`the program of source ${context.name} ${run.problem}`)
          return
        }
        if (context.clock.monotonic() - began > healthyMs) pauseMs = pause.first
        if (run.problem !== undefined)
          context.log.warn(`the program of source ${context.name} ${run.problem}; it starts again in ${pauseMs} ms`)
        if (!(await context.sleep(pauseMs))) return
      }
    },
    async close() {
      await life?.owner.endAll()
    },
  }
}
