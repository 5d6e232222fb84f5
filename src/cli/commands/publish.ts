import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { formatSize } from '../../core/duration.ts'
import { AppError, messageOf } from '../../core/errors.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import type { Element } from '../json-elements.ts'
import { count, counted, span } from '../numbers.ts'
import { createProgress } from '../progress.ts'
import { readInput } from '../publish-input.ts'
import { noTotals, sendBatch, type Totals, totalOf } from '../publisher.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

interface PublishOptions extends CommonOptions {
  readonly type?: string
  readonly source?: string
  readonly id?: string
  readonly subject?: string
  readonly time?: string
  readonly notBefore?: string
  readonly data?: string
}

const single = ['type', 'source', 'id', 'subject', 'time', 'notBefore', 'data'] as const
const batchSize = 1_000
const shownProblems = 20

/** `publish`: events from arguments, a file or stdin. */
export function register(program: Command, io: CliIo): void {
  program
    .command('publish')
    .description(
      'Publish one event from the options, or many from FILE or stdin: NDJSON, a JSON object or a JSON array.',
    )
    .argument('[file]', 'the file; - is stdin')
    .option('--type <type>', 'for one event: its type, for example order.placed')
    .option('--source <source>', 'for one event: where it comes from')
    .option('--id <id>', 'for one event: its id (default: a new one)')
    .option('--subject <subject>', 'for one event: what it is about')
    .option('--time <time>', 'for one event: when it happened, RFC 3339')
    .option('--not-before <time>', 'for one event: deliver it no earlier, RFC 3339')
    .option('--data <json>', 'for one event: its data as JSON')
    .addHelpText(
      'after',
      '\nEvents that are stored already are counted as duplicates: an interrupted publish can be\nrun again.',
    )
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const options = optionsOf<PublishOptions>(command)
      const given = single.filter((name) => options[name] !== undefined)
      if (given.length > 0) return publishOne(io, file, options)
      if (file === undefined && io.stdinIsTty) {
        throw new AppError(
          'usage',
          'there is nothing to publish: give --type and --source for one event, a FILE, or pipe events into stdin',
        )
      }
      const input = openInput(io, file)
      await withApi(io, options, 'write', (api) => publishMany(io, api, input, options.json === true))
    })
}

async function publishOne(io: CliIo, file: string | undefined, options: PublishOptions): Promise<void> {
  if (file !== undefined) {
    throw new AppError(
      'usage',
      `--type and its like describe one event, and ${file} holds others: give one or the other`,
    )
  }
  const { type, source, id = nodePlatform.id(), subject, time, notBefore } = options
  if (type === undefined || source === undefined) {
    throw new AppError(
      'usage',
      `one event needs --type and --source; ${type === undefined ? '--type' : '--source'} is missing`,
    )
  }
  const fields = JSON.stringify({ id, source, type, subject, time, notBefore })
  // The data as it was written: a number with many digits stays what it is.
  const text = options.data === undefined ? fields : `${fields.slice(0, -1)},"data":${jsonOf(options.data)}}`
  await withApi(io, options, 'write', async (api) => {
    const totals = noTotals()
    const [result] = await sendBatch(api, [{ kind: 'text', line: 1, text }], totals)
    if (options.json === true) io.out(JSON.stringify({ ...result, durability: totals.durability }))
    else if (result !== undefined && totals.problems.length === 0) {
      const durability = totals.durability === undefined ? '' : ` (durability: ${totals.durability})`
      io.out(`${result.status} as event ${result.sequence} in ${api.where}${durability}`)
    }
    const [problem] = totals.problems
    if (problem === undefined) return
    io.setExit(1)
    if (options.json !== true) io.err(`${paintErr(io, problem.status)}: ${clean(problem.message)} (${problem.code})`)
  })
}

function jsonOf(text: string): string {
  try {
    JSON.parse(text)
    return text.replaceAll(/[\r\n]/g, ' ')
  } catch (error) {
    throw new AppError('usage', `--data is not valid JSON. A text needs quotes of its own: --data '"text"'`, {
      cause: error,
    })
  }
}

interface Input {
  readonly name: string
  readonly chunks: AsyncIterable<Uint8Array>
  readonly bytes: number | undefined
}

function openInput(io: CliIo, file: string | undefined): Input {
  if (file === undefined || file === '-') return { name: 'stdin', chunks: io.stdin, bytes: undefined }
  const path = resolve(io.cwd, file)
  try {
    const found = statSync(path)
    if (found.isDirectory()) throw new Error('it is a folder')
    return { name: file, chunks: createReadStream(path), bytes: found.isFile() ? found.size : undefined }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw new AppError('usage', `${path} was not published: ${why}`, { cause: error })
  }
}

async function publishMany(io: CliIo, api: Api, input: Input, json: boolean): Promise<void> {
  const totals = noTotals()
  const startedAt = performance.now()
  const progress = createProgress(io, 'events')
  let bytes = 0
  let ended: unknown
  try {
    for await (const piece of batches(readInput(input.chunks, input.name))) {
      await sendBatch(api, piece.elements, totals)
      bytes += piece.bytes
      const part = input.bytes === undefined || input.bytes === 0 ? undefined : bytes / input.bytes
      progress.show({ count: totalOf(totals), bytes, ...(part !== undefined && { part }) })
      if (io.signal.aborted) break
    }
  } catch (error) {
    ended = error
  }
  progress.end()
  if (totals.conflict + totals.refused > 0 || io.signal.aborted) io.setExit(1)
  if (json) io.out(JSON.stringify({ ...totals, bytes, complete: ended === undefined && !io.signal.aborted }))
  else io.out(summary(io, api.where, totals, bytes, performance.now() - startedAt))
  if (!json) sayProblems(io, totals)
  if (ended !== undefined) throw interrupted(ended, input.name, totals)
  if (io.signal.aborted && !json)
    io.err(`Interrupted. Publish ${input.name} again to go on: what is stored counts as duplicate.`)
}

function interrupted(error: unknown, name: string, totals: Totals): unknown {
  if (!(error instanceof AppError)) return error
  const message = `publishing ${name} ended after ${counted(totalOf(totals), 'event')}: ${error.message}. Publish it again to go on: what is stored counts as duplicate.`
  return new AppError(error.code, message.replaceAll('..', '.'), { cause: error, facts: error.facts })
}

/** Pieces of the input gathered to batches of a thousand events. */
async function* batches(
  pieces: AsyncIterable<{ readonly elements: readonly Element[]; readonly bytes: number }>,
): AsyncGenerator<{ readonly elements: readonly Element[]; readonly bytes: number }> {
  let open: Element[] = []
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.bytes
    for (const element of piece.elements) {
      open.push(element)
      if (open.length < batchSize) continue
      yield { elements: open, bytes }
      open = []
      bytes = 0
    }
  }
  yield { elements: open, bytes }
}

function summary(io: CliIo, where: string, totals: Totals, bytes: number, elapsedMs: number): string {
  const all = totalOf(totals)
  const rate = elapsedMs > 0 ? `, ${count((all * 1_000) / elapsedMs)}/s` : ''
  const names = ['stored', 'duplicate', 'quarantined', 'conflict', 'refused'] as const
  const shown = names.filter((name) => totals[name] > 0 || name === 'stored')
  const parts = shown.map((name) => {
    const text = `${count(totals[name])} ${name}`
    return name === 'refused' || name === 'conflict' ? paint(io, 'red', text) : text
  })
  return `${counted(all, 'event')} to ${where}: ${parts.join(', ')} (${formatSize(bytes)} in ${span(elapsedMs)}${rate})`
}

function sayProblems(io: CliIo, { problems, conflict, refused }: Totals): void {
  for (const { line, status, code, message } of problems.slice(0, shownProblems)) {
    io.err(`line ${line} ${paintErr(io, status)}: ${clean(message)} (${code})`)
  }
  const more = conflict + refused - Math.min(problems.length, shownProblems)
  if (more > 0) io.err(`and ${counted(more, 'more line')} like these; --json lists up to 1,000`)
}

function paintErr(io: CliIo, text: string): string {
  return paint({ isTty: io.errIsTty, env: io.env }, 'red', text)
}
