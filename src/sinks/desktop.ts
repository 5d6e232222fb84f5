import type { Outcome } from '../core/outcome.ts'
import { createOwner, type Owner } from '../io/process/owner.ts'
import { type RunResult, runProcess } from '../io/process.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import { type Desktop, type Notifier, notifierOf } from './desktop/notifier.ts'
import { noticeOf } from './desktop/text.ts'

const options = schema.strictObject({
  maxBodyLength: schema
    .int()
    .min(20)
    .max(1024)
    .default(220)
    .describe('Characters below the title at most; longer text is cut.'),
})

/** The sink `desktop` on a machine that is described, for use in code. */
export function desktopOn(describe: () => Desktop) {
  return defineSink({
    name: 'desktop',
    summary: 'Shows each event as a notification on the desktop of this machine, for development.',
    delivers:
      'Best effort. An event is given to the desktop once; whether anybody saw it is not known, and after a crash the last ' +
      'one may be shown again. What cannot be shown is settled as discarded and never tried again. Where no notification can ' +
      'be shown at all the sink says so once and discards everything.',
    options,
    example: { maxBodyLength: 220 },
    defaults: { concurrency: 1, timeoutMs: 10_000, guarantee: 'best-effort' },
    create: ({ maxBodyLength }, { directory }): Sink => createDesktop(describe(), maxBodyLength, directory),
  })
}

/** Shows each event as a notification on the desktop. */
export const desktop = desktopOn(() => ({ platform: process.platform, env: process.env }))

/** After a failure nothing is shown for so long: a broken desktop must not cost a process for every event. */
const restMs = 60_000
const outputBytes = 512
const graceMs = 200

const notShown = (reason: string): readonly Outcome[] => [{ outcome: 'discard', reason }]

function createDesktop(machine: Desktop, maxBodyLength: number, directory: string): Sink {
  let notifier: Notifier | undefined
  let owner: Owner | undefined
  let restUntil = Number.NEGATIVE_INFINITY
  let isWarned = false

  const find = ({ name, log }: PluginContext): Notifier => {
    const found = notifierOf(machine)
    if (!found.ok) log.warn(`subscription ${name} shows no notifications and discards its events: ${found.problem}`)
    return found
  }
  return {
    open(context) {
      notifier = find(context)
    },
    async deliver([delivery], context) {
      notifier ??= find(context)
      if (!notifier.ok) return notShown('no notification can be shown on this machine')
      if (context.clock.monotonic() < restUntil) return notShown('notifications have just failed')
      owner ??= createOwner(directory, context.name)
      const result = await runProcess({
        ...notifier.requestOf(noticeOf(delivery!.event, maxBodyLength)),
        directory,
        mark: owner.nextMark(),
        signal: context.signal,
        graceMs,
        outputBytes,
      })
      const problem = problemOf(result)
      if (problem === undefined) {
        isWarned = false
        return undefined
      }
      restUntil = context.clock.monotonic() + restMs
      if (!isWarned) context.log.warn(`subscription ${context.name} could not show a notification: ${problem}`)
      isWarned = true
      return notShown(`the notification was not shown: ${problem}`)
    },
    async close() {
      await owner?.endAll()
    },
  }
}

function problemOf(result: RunResult): string | undefined {
  if (result.kind === 'failed') return result.problem
  if (result.isAborted) return 'the desktop did not answer in time'
  if (result.code === 0) return undefined
  const said = result.stderr.text.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
  return `exit code ${result.code}${said === '' ? '' : `: ${said}`}`
}
