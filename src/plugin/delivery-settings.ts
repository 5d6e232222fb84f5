import type { BreakerPolicy } from '../core/breaker.ts'
import type { CoalescePolicy } from '../core/coalesce.ts'
import type { Event, Json } from '../core/event.ts'
import { checkPattern } from '../core/match.ts'
import type { Payload } from '../core/payload.ts'
import type { FairBy, OrderBy, Where } from '../core/plan.ts'
import type { TtlPolicy } from '../core/ttl.ts'
import { compileExpression, type Expression, eventNames, scopeOf } from './expression.ts'
import { schema } from './schema.ts'
import { duration, rate } from './values.ts'

/** A pattern of event types: `*`, `prefix.*` or exact. */
export const patternSetting = schema.string().superRefine((text, context) => {
  const wrong = checkPattern(text)
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})

/** A setting that is an expression over `event`, `data` and `meta`. */
function eventExpression(description: string) {
  return schema
    .string()
    .describe(description)
    .superRefine((text, context) => {
      const compiled = compileExpression(text, eventNames)
      if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.problem })
    })
}

const payload = schema
  .unknown()
  .superRefine((value, context) => {
    const isTemplate = typeof value === 'string' ? /[#$]root/.test(value) : typeof value === 'object' && value !== null
    if (value !== 'full' && value !== 'summary' && !isTemplate)
      context.addIssue({
        code: 'custom',
        message: 'full, summary or a template is needed; a template names #root or $root',
      })
  })
  .describe('What is sent of an event: full (default), summary (without data), or a template.')

const breakerFailures = schema
  .union([schema.int().min(1), schema.literal('unlimited')], {
    error: 'a whole number of at least 1 is needed, or unlimited',
  })
  .describe('Failed attempts in a row after which the far side counts as down; unlimited: it never does.')

const disableAfter = schema
  .union([schema.literal('never'), duration('', 1)], { error: 'a duration is needed, or never' })
  .describe('Without any success for this long the subscription is disabled; or never.')

/** In code also a function: it must say the same of the same event, always. */
const orderBy = schema
  .custom<string | ((event: Event) => string | undefined)>(
    (value) => typeof value === 'function' || typeof value === 'string',
    { error: 'a CEL expression such as data.account is needed' },
  )
  .superRefine((value, context) => {
    const compiled = typeof value === 'string' ? compileExpression(value, eventNames) : undefined
    if (compiled?.ok === false) context.addIssue({ code: 'custom', message: compiled.problem })
  })
  .describe('With ordering: key, what has order: a CEL expression such as data.account. Default: event.subject.')

/** How deliveries are chosen, shaped and paced. */
export const deliverySettings = {
  where: eventExpression('Only events for which this CEL expression over event, data and meta is true.').optional(),
  coalesce: schema
    .strictObject({
      window: duration('How long a subject must be quiet before its latest event is delivered.', 1),
      maxWait: duration('The longest that may take. Default: ten times the window.', 1).optional(),
    })
    .describe('Only the latest event of each type and subject is delivered.')
    .optional(),
  ttl: schema
    .strictObject({
      default: duration('For types that no pattern below names.', 1).optional(),
      types: schema.record(patternSetting, duration('A time to live.', 1)).describe('By pattern of types.').optional(),
    })
    .describe('How long after its append an event may still be delivered. Default: without end.')
    .optional(),
  payload: payload.optional(),
  fairBy: schema
    .string()
    .describe('subject, source, or a CEL expression such as meta.tenant: groups that share the subscription fairly.')
    .superRefine((text, context) => {
      const compiled = compileExpression(fairText(text), eventNames)
      if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.problem })
    })
    .optional(),
  orderBy: orderBy.optional(),
  rate: rate('Attempts at most, for example 100/s.').optional(),
  breaker: schema
    .strictObject({
      failures: breakerFailures.optional(),
      open: duration('How long nothing is attempted then, before one trial.', 1).optional(),
      disableAfter: disableAfter.optional(),
    })
    .describe("When a far side counts as down. Default: the sink's.")
    .optional(),
} as const

interface Written {
  readonly orderBy?: string | ((event: Event) => string | undefined) | undefined
  readonly fairBy?: string | undefined
  readonly where?: string | undefined
  readonly coalesce?: { readonly window: number; readonly maxWait?: number | undefined } | undefined
  readonly ttl?:
    | { readonly default?: number | undefined; readonly types?: Readonly<Record<string, number>> | undefined }
    | undefined
  readonly payload?: unknown
  readonly breaker?:
    | {
        readonly failures?: number | 'unlimited' | undefined
        readonly open?: number | undefined
        readonly disableAfter?: number | 'never' | undefined
      }
    | undefined
}

/** The settings as the policies that the engine works with. */
export function deliveryPolicies(written: Written, bySink: Partial<BreakerPolicy> | undefined) {
  return {
    where: written.where === undefined ? undefined : whereOf(written.where),
    fairBy: written.fairBy === undefined ? undefined : fairByOf(written.fairBy),
    orderBy: written.orderBy === undefined ? undefined : orderByOf(written.orderBy),
    coalesce: coalesceOf(written.coalesce),
    ttl: ttlPolicyOf(written.ttl),
    payload: payloadOf(written.payload),
    breaker: breakerOf(written.breaker, bySink),
  }
}

const fairText = (text: string): string => (text === 'subject' || text === 'source' ? `event.${text}` : text)

/** Events for which the expression says nothing form a group of their own. */
function fairByOf(text: string): FairBy {
  if (text === 'subject') return { text, groupOf: ({ subject }) => subject ?? '' }
  if (text === 'source') return { text, groupOf: ({ source }) => source }
  const compiled = compileExpression(text, eventNames)
  if (!compiled.ok) throw new Error(`fairBy ${text}: ${compiled.problem}`)
  const read = textOf(compiled.expression)
  const groupOf = (event: Event): string => {
    try {
      return (read(event) ?? 'null').toWellFormed()
    } catch {
      return ''
    }
  }
  return { text, groupOf }
}

/** Events for which it says nothing, or fails, wait for no other. */
function orderByOf(written: string | ((event: Event) => string | undefined)): OrderBy {
  const compiled = typeof written === 'string' ? compileExpression(written, eventNames) : undefined
  if (compiled?.ok === false) throw new Error(`orderBy ${written}: ${compiled.problem}`)
  const read = compiled === undefined ? (written as (event: Event) => unknown) : textOf(compiled.expression)
  const keyOf = (event: Event): string | undefined => {
    try {
      const key = read(event)
      // As stores write it: it must be the same key after a restart.
      return typeof key === 'string' ? key.toWellFormed() : undefined
    } catch {
      return undefined
    }
  }
  return { text: typeof written === 'string' ? written : 'a function', keyOf }
}

function textOf({ evaluate, uses }: Expression): (event: Event) => string | undefined {
  return (event) => {
    const value = evaluate(scopeOf(event, uses))
    if (value === null) return undefined
    return typeof value === 'string' ? value : JSON.stringify(value)
  }
}

function whereOf(text: string): Where {
  const compiled = compileExpression(text, eventNames)
  if (!compiled.ok) throw new Error(`where ${text}: ${compiled.problem}`)
  const { expression } = compiled
  const { only } = expression
  return { text, only, test: (event) => isTrue(expression, event), explain: (event) => explainWhere(expression, event) }
}

function isTrue(expression: Expression, event: Event): boolean {
  try {
    return expression.evaluate(scopeOf(event, expression.uses)) === true
  } catch {
    return false
  }
}

/** The result or what failed; never the event's data. */
function explainWhere(expression: Expression, event: Event): string {
  try {
    const value = expression.evaluate(scopeOf(event, expression.uses))
    return typeof value === 'boolean' ? `it was ${value}` : 'it was neither true nor false'
  } catch (error) {
    return (error as Error).message
  }
}

function coalesceOf(written: Written['coalesce']): CoalescePolicy | undefined {
  if (written === undefined) return undefined
  return { windowMs: written.window, maxWaitMs: written.maxWait ?? 10 * written.window }
}

function ttlPolicyOf(written: Written['ttl']): TtlPolicy | undefined {
  if (written === undefined) return undefined
  return { defaultMs: written.default, types: new Map(Object.entries(written.types ?? {})) }
}

function payloadOf(written: unknown): Payload | undefined {
  if (written === undefined || written === 'full') return undefined
  return written === 'summary' ? { kind: 'summary' } : { kind: 'template', template: written as Json }
}

function breakerOf(written: Written['breaker'], bySink: Partial<BreakerPolicy> | undefined): BreakerPolicy | undefined {
  const failures = written?.failures ?? bySink?.failures
  if (failures === undefined || failures === 'unlimited') return undefined
  const { disableAfter } = written ?? {}
  return {
    failures,
    openMs: written?.open ?? bySink?.openMs ?? 30_000,
    disableAfterMs: disableAfter === 'never' ? undefined : (disableAfter ?? bySink?.disableAfterMs),
  }
}
