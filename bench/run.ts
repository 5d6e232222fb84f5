// npm run bench [-- name…] [--quick] [--long] [--rounds N]
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildPackage } from './built.ts'
import type { Measures, Question } from './harness.ts'
import { commitNow, machineNow } from './machine.ts'
import { type Answer, answerOf, type Report, reportText, textOf } from './report.ts'

const here = import.meta.dirname
const parts = new Set([
  'run',
  'built',
  'child',
  'harness',
  'machine',
  'report',
  'load',
  'serve',
  'http-servers',
  'pipelines',
  'webhook-runs',
])
const known = readdirSync(here)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => file.slice(0, -3))
  .filter((name) => !parts.has(name))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, long: { type: 'boolean' }, rounds: { type: 'string' } },
})
const isQuick = values.quick === true
const rounds = Number(values.rounds ?? (isQuick ? 1 : 3))
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(
    unknown.length > 0
      ? `no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}`
      : '--rounds needs a whole number',
  )
  process.exit(2)
}

let built: string | undefined

/** One variant in a fresh process: its measures, or an error with the end of what it printed. */
async function runVariant(name: string, variant: string, { isBuilt, flags }: Question): Promise<Measures> {
  if (isBuilt === true) built ??= buildPackage(join(here, '..'))
  const from = isBuilt === true ? built! : here
  const program = [join(from, 'child.ts'), name, variant, isQuick ? 'quick' : 'full']
  const child = spawn(
    process.execPath,
    [
      ...(from === here ? ['--conditions=millrace-source'] : []),
      ...['--expose-gc', '--disable-warning=ExperimentalWarning', ...(flags?.[variant] ?? [])],
      ...program,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { BENCH_DIRECTORY: join(here, '../.millrace'), ...process.env } },
  )
  let out = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (out = (out + chunk.toString()).slice(-10_000)))
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`${name} ${variant} ended with ${code}: ${errors.trim()}`)
  return JSON.parse(out.trim().split('\n').at(-1)!) as Measures
}

async function answer(name: string, question: Question): Promise<Answer> {
  const variants = Object.keys(question.variants)
  const runs: Record<string, Measures[]> = Object.fromEntries(variants.map((variant) => [variant, []]))
  try {
    for (let round = 0; round < rounds; round++) {
      // What warms or tires the machine must not always favour the same variant.
      for (const variant of round % 2 === 0 ? variants : [...variants].reverse()) {
        process.stderr.write(`${name} ${variant} ${round + 1}/${rounds}\n`)
        runs[variant]!.push(await runVariant(name, variant, question))
      }
    }
    return answerOf(name, question, runs, isQuick)
  } catch (error) {
    return {
      name,
      ask: question.ask,
      raw: {},
      medians: {},
      targets: [],
      failed: error instanceof Error ? error.message : String(error),
    }
  }
}

const machine = machineNow(here)
/** A second run of one commit stands beside the first. */
function freeName(base: string): string {
  for (let run = 1; ; run++) {
    const name = run === 1 ? base : `${base}-${run}`
    if (!existsSync(`${name}.md`)) return name
  }
}

const answers: Answer[] = []
for (const name of positionals.length > 0 ? positionals : known) {
  const { question } = (await import(`./${name}.ts`)) as { question: Question }
  if (question.isLong === true && values.long !== true && positionals.length === 0) continue
  const one = await answer(name, question)
  answers.push(one)
  console.log(textOf(one))
}

const report: Report = {
  date: new Date().toISOString().slice(0, 10),
  commit: commitNow(),
  isQuick,
  rounds,
  machine: machine(),
  answers,
}
const file = freeName(join(here, 'results', `${report.date}-${report.commit}${isQuick ? '-quick' : ''}`))
mkdirSync(join(here, 'results'), { recursive: true })
writeFileSync(`${file}.json`, `${JSON.stringify(report, undefined, 2)}\n`)
writeFileSync(`${file}.md`, reportText(report))
console.error(`written: ${file}.md`)
if (answers.some(({ failed }) => failed !== undefined)) process.exitCode = 1
