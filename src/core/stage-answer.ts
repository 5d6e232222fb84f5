import { nearest } from './issues.ts'

/** What a stage may answer, and what may stand in the parts of it. An event may be given whole: of it, this is changed. */
const parts = {
  answer: new Set(['outcome', 'reason', 'delay', 'isWait', 'context', 'event', 'derive', 'keep', 'wake']),
  event: new Set([
    ...['type', 'subject', 'time', 'data', 'meta'],
    ...[
      'source',
      'id',
      'sequence',
      'record',
      'recordedtime',
      'replayid',
      'datacontenttype',
      'dataschema',
      'data_base64',
    ],
  ]),
  keep: new Set(['value', 'dueAt']),
  due: new Set(['keep', 'derive']),
}
const changeable = ['type', 'subject', 'time', 'data', 'meta']
const keepable = [...parts.keep]
const answerable = [...parts.answer]

/** What is wrong with the shape of a stage's answer, as a sentence that goes on from its name; undefined: nothing. */
export function answerProblem(answer: unknown): string | undefined {
  if (!isObject(answer)) return `it answered ${kindOf(answer)}; answer nothing, or an object such as { outcome: 'ack' }`
  const { derive, wake, event, keep, reason, delay } = answer
  return (
    unknownKey(answer, parts.answer, 'its answer', answerable) ??
    deriveProblem(derive) ??
    (wake === undefined || Array.isArray(wake)
      ? undefined
      : `wake of its answer is ${kindOf(wake)}; it is a list of sequences`) ??
    textProblem('reason', reason) ??
    textProblem('delay', delay) ??
    partProblem('event', event, changeable) ??
    partProblem('keep', keep, keepable)
  )
}

/** The same for what `onDue` answers. */
export function dueAnswerProblem(answer: unknown): string | undefined {
  if ((answer ?? undefined) === undefined) return undefined
  if (!isObject(answer)) return `onDue answered ${kindOf(answer)}; answer nothing, or { keep, derive }`
  return (
    unknownKey(answer, parts.due, 'the answer of onDue', [...parts.due]) ??
    deriveProblem(answer['derive']) ??
    partProblem('keep', answer['keep'], [...parts.keep])
  )
}

function deriveProblem(derive: unknown): string | undefined {
  if ((derive ?? undefined) === undefined) return undefined
  if (!Array.isArray(derive))
    return `derive of its answer is ${kindOf(derive)}; it is a list of events, also for a single one`
  const wrong = derive.findIndex((each) => !isObject(each))
  return wrong === -1
    ? undefined
    : `derived event ${wrong} is ${kindOf(derive[wrong])}; an event is an object with a type`
}

function textProblem(name: string, value: unknown): string | undefined {
  return (value ?? undefined) === undefined || typeof value === 'string'
    ? undefined
    : `${name} of its answer is ${kindOf(value)}; it is text`
}

function partProblem(name: 'event' | 'keep', part: unknown, names: readonly string[]): string | undefined {
  if (part === undefined) return undefined
  if (!isObject(part)) return `${name} of its answer is ${kindOf(part)}; it is an object with ${names.join(', ')}`
  return unknownKey(part, parts[name], `${name} of its answer`, names)
}

function unknownKey(
  object: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
  what: string,
  names: readonly string[],
): string | undefined {
  for (const key in object) {
    if (known.has(key)) continue
    const meant = nearest(key, names)
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    return `${what} has ${JSON.stringify(key.slice(0, 40))}, which does not exist${hint} (available: ${[...names].sort().join(', ')})`
  }
  return undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
