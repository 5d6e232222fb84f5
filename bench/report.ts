import type { Measures, Question } from './harness.ts'
import type { Machine } from './machine.ts'

export interface TargetResult {
  readonly says: string
  readonly value: number
  readonly at: 'least' | 'most'
  readonly goal: number
  readonly isMet: boolean
  /** The value, so that 1 is just met and more is better. */
  readonly ratio: number
}

export interface Answer {
  readonly name: string
  readonly ask: string
  /** Raw values: variant → measure → one value a round, in the order they were run. */
  readonly raw: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
  readonly medians: Readonly<Record<string, Measures>>
  readonly targets: readonly TargetResult[]
  /** Why there is no answer. */
  readonly failed?: string | undefined
}

export interface Report {
  readonly date: string
  readonly commit: string
  readonly isQuick: boolean
  readonly rounds: number
  readonly machine: Machine
  readonly answers: readonly Answer[]
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Medians and targets from the runs of each variant. */
export function answerOf(
  name: string,
  question: Question,
  runs: Readonly<Record<string, readonly Measures[]>>,
  isQuick: boolean,
): Answer {
  const raw: Record<string, Record<string, number[]>> = {}
  for (const [variant, measured] of Object.entries(runs)) {
    const values: Record<string, number[]> = {}
    for (const key of Object.keys(measured[0] ?? {}))
      values[key] = measured.map((measures) => measures[key] ?? Number.NaN)
    raw[variant] = values
  }
  const medians = Object.fromEntries(
    Object.entries(raw).map(([variant, values]) => [
      variant,
      Object.fromEntries(Object.entries(values).map(([key, all]) => [key, median(all)])),
    ]),
  )
  const targets = question.targets
    .filter(({ holdsQuick }) => !isQuick || holdsQuick !== false)
    .map(({ says, value, at, goal }) => {
      const reached = value(medians)
      const ratio = at === 'least' ? reached / goal : goal / reached
      return { says, value: reached, at, goal, isMet: ratio >= 1, ratio }
    })
  return { name, ask: question.ask, raw, medians, targets }
}

/** A number with three figures that matter, and thousands apart. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

export function textOf(answer: Answer): string {
  const lines = [`## ${answer.name}`, '', answer.ask, '']
  if (answer.failed !== undefined) return [...lines, `**No answer:** ${answer.failed}`, ''].join('\n')
  lines.push('| Variant | Measure | Median | Raw values |', '|---|---|---:|---|')
  for (const [variant, values] of Object.entries(answer.raw)) {
    for (const [measure, all] of Object.entries(values)) {
      lines.push(
        `| ${variant} | ${measure} | ${shown(answer.medians[variant]![measure]!)} | ${all.map(shown).join(' · ')} |`,
      )
    }
  }
  if (answer.targets.length > 0) lines.push('', '| Target | Goal | Reached | Ratio | |', '|---|---:|---:|---:|---|')
  for (const { says, at, goal, value, ratio, isMet } of answer.targets) {
    lines.push(
      `| ${says} | ${at === 'least' ? '≥' : '≤'} ${shown(goal)} | ${shown(value)} | ${shown(ratio)} | ${isMet ? 'met' : '**not met**'} |`,
    )
  }
  return [...lines, ''].join('\n')
}

export function reportText(report: Report): string {
  const { machine } = report
  return [
    `# Benchmarks, ${report.date}, commit ${report.commit}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, SQLite ${machine.sqlite}, file system ${machine.fileSystem}. Load before ${machine.loadBefore.join(' ')}, after ${machine.loadAfter.join(' ')}.`,
    '',
    `${report.rounds} round(s), a fresh process per variant, order alternated.${report.isQuick ? ' **Quick sizes: these numbers only show that the benchmarks run.**' : ''} A ratio of 1 just meets the target; more is better.`,
    '',
    ...report.answers.map(textOf),
  ].join('\n')
}
