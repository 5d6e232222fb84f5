import { parseDuration, parseRate, parseSize, type Rate } from '../core/duration.ts'
import { schema } from './schema.ts'

type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

/** A setting that is a duration such as `30s`; checked, it is milliseconds. */
export function duration(description: string, minMs = 0, maxMs = Number.MAX_SAFE_INTEGER) {
  return textOf(description, (input): Read<number> => {
    const parsed = parseDuration(input)
    if (!parsed.ok) return parsed
    if (parsed.ms < minMs) return { ok: false, problem: `too short: at least ${minMs}ms` }
    if (parsed.ms > maxMs) return { ok: false, problem: `too long: at most ${maxMs}ms` }
    return { ok: true, value: parsed.ms }
  })
}

/** A setting that is a size such as `64KiB`, at least one byte; checked, it is bytes. */
export function size(description: string) {
  return textOf(description, (input): Read<number> => {
    const parsed = parseSize(input)
    if (!parsed.ok) return parsed
    return parsed.bytes < 1 ? { ok: false, problem: 'too small: at least 1B' } : { ok: true, value: parsed.bytes }
  })
}

/** A setting that is a rate such as `100/s`. */
export function rate(description: string) {
  return textOf(description, (input): Read<Rate> => {
    const parsed = parseRate(input)
    return parsed.ok ? { ok: true, value: parsed } : parsed
  })
}

/** A whole number of things. */
export function count(description: string, least = 1) {
  return schema.int().min(least).describe(description)
}

function textOf<T>(description: string, read: (input: unknown) => Read<T>) {
  const problemOf = (input: unknown): string | undefined => {
    const parsed = read(input)
    return parsed.ok ? undefined : parsed.problem
  }
  return schema
    .string({ error: ({ input }) => (input === undefined ? undefined : problemOf(input)) })
    .describe(description)
    .transform((text, context): T => {
      const parsed = read(text)
      if (parsed.ok) return parsed.value
      context.addIssue({ code: 'custom', message: parsed.problem })
      return schema.NEVER
    })
}
