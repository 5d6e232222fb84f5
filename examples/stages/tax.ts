import type { StageInput, StageResult } from 'millrace/plugin'

/** Adds the tax to an order; `settings` is what stands in the configuration. */
export function withTax({ event }: StageInput<{ total: number }>, settings: { readonly percent: number }): StageResult {
  return { outcome: 'ack', event: { data: { ...event.data, tax: (event.data.total * settings.percent) / 100 } } }
}
