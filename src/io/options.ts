import { parseDuration, parseRate, parseSize, type Rate } from '../core/duration.ts'
import { schema } from '../plugin/schema.ts'

/** An option that is a duration such as `30s`; checked, it is milliseconds. */
export function durationOption(description: string, bounds: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  const { minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = bounds
  return parsedOption(description, (input) => {
    const parsed = parseDuration(input)
    if (!parsed.ok) return parsed
    if (parsed.ms < minMs) return { ok: false, problem: `the duration is too short: at least ${minMs}ms` }
    if (parsed.ms > maxMs) return { ok: false, problem: `the duration is too long: at most ${maxMs}ms` }
    return { ok: true, value: parsed.ms }
  })
}

/** An option that is a size such as `64KiB`; checked, it is bytes. */
export function sizeOption(description: string) {
  return parsedOption(description, (input) => {
    const parsed = parseSize(input)
    if (parsed.ok && parsed.bytes < 1) return { ok: false, problem: 'the size must be at least 1B' }
    return parsed.ok ? { ok: true, value: parsed.bytes } : parsed
  })
}

/** An option that is a rate such as `100/s`. */
export function rateOption(description: string) {
  return parsedOption<Rate>(description, (input) => {
    const parsed = parseRate(input)
    return parsed.ok ? { ok: true, value: parsed } : parsed
  })
}

type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

function parsedOption<T>(description: string, parse: (input: unknown) => Checked<T>) {
  const problemOf = (input: unknown): string | undefined => {
    const checked = parse(input)
    return checked.ok ? undefined : checked.problem
  }
  return schema
    .string({ error: (issue) => (issue.input === undefined ? undefined : problemOf(issue.input)) })
    .describe(description)
    .transform((text, context): T => {
      const checked = parse(text)
      if (checked.ok) return checked.value
      context.addIssue({ code: 'custom', message: checked.problem })
      return schema.NEVER
    })
}
