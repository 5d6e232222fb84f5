import { duration } from '../plugin/values.ts'

export { rate as rateOption, size as sizeOption } from '../plugin/values.ts'

/** An option that is a duration such as `30s`; checked, it is milliseconds. */
export function durationOption(description: string, bounds: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  return duration(description, bounds.minMs, bounds.maxMs)
}
