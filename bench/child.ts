// Runs one variant of one question in this process, and prints its measures as the last line.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Question } from './harness.ts'

const [name, variant, mode] = process.argv.slice(2)
const { question } = (await import(`./${name}.ts`)) as { question: Question }
const base = process.env['BENCH_DIRECTORY'] ?? join(import.meta.dirname, '../.millrace')
mkdirSync(base, { recursive: true })
const directory = mkdtempSync(join(base, 'bench-'))
const isQuick = mode === 'quick'
try {
  const run = question.variants[variant ?? '']
  if (run === undefined) throw new Error(`${name} has no variant ${variant}`)
  const measures = await run({ directory, isQuick, size: (full, quick) => (isQuick ? quick : full) })
  console.log(`\n${JSON.stringify(measures)}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exit(0)
