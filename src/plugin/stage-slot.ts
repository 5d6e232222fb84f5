import type { Catalogue } from './catalogue.ts'
import { type Checked, check, type SchemaIssue, unknownSetting } from './check.ts'
import type { CreateContext, StageDeclaration, StageDefaults, Use } from './define.ts'
import { dataSchema, withInput } from './input-schema.ts'
import { type IsolateInput, type IsolateSetting, isolateSetting } from './isolate/setting.ts'
import { isolatedStage } from './isolate/stage.ts'
import { type RetryInput, type RetryPolicies, retryPolicies, retrySetting } from './retry-setting.ts'
import { schema } from './schema.ts'
import type { WrittenSchema } from './schema-settings.ts'
import { answer, checkOptions, declarationOf, isDefinition, isFilePath, isUse, problem } from './slots.ts'
import type { Stage } from './stage.ts'
import { type FunctionStage, isFunctionStage, type StageFunction } from './stage-function.ts'
import { count, duration } from './values.ts'

/** A stage with settings: by name or file in a configuration file, by value in code. */
export interface StageEntry<Run = StageFunction> {
  readonly use: string | Use<StageDeclaration> | Run
  readonly name?: string | undefined
  readonly concurrency?: number | undefined
  readonly buffer?: number | undefined
  readonly timeout?: string | undefined
  readonly retry?: RetryInput | undefined
  /** What the data must be: the stage is called with nothing else. */
  readonly input?: WrittenSchema | undefined
  /** For `use: './file.ts#name'`, a function: it runs in worker threads. */
  readonly isolate?: IsolateInput | undefined
  /** The stage's own options; those of a named stage may also stand beside `use`. */
  readonly with?: unknown
  readonly [option: string]: unknown
}

/** What may stand in `stages`. */
export type StageInputEntry = FunctionStage | Use<StageDeclaration> | StageEntry

/** A stage as checked, before it is made. */
export interface CheckedStage {
  readonly name: string
  readonly concurrency: number
  readonly buffer: number
  readonly timeoutMs: number | undefined
  readonly retry: RetryPolicies | undefined
  readonly isPure: boolean
  readonly runsUserCode: boolean
  /** Present: what it keeps can be built again from the log. */
  readonly foldVersion?: string | undefined
  /** Patterns of events that it needs to be given. */
  readonly waitsFor?: readonly string[] | undefined
  make(context: CreateContext): Stage
}

export type StageSlot = schema.ZodType<CheckedStage, StageInputEntry>

/** Letters, digits, `_`, `-` and `.`: names appear in addresses, ids and paths of settings. */
export const nameSchema = schema.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, {
  error: 'a name is 1 to 64 letters, digits, _, - and dots, and begins with a letter or digit',
})

const defaults = { concurrency: 1, buffer: 1 } as const

/** Settings that every stage has. */
export const stageSettings = {
  name: nameSchema.optional().describe("The stage's name, its identity over restarts. Default: the name in `use`."),
  concurrency: count('Calls at a time, at most. Default: 1.').optional(),
  buffer: count('Deliveries that may wait in front of the stage. Default: 1.').optional(),
  timeout: duration("How long one attempt may take. Default: the subscription's timeout.", 1).optional(),
  retry: retrySetting
    .describe('When a failed attempt of this stage is made again. Default: as the subscription says.')
    .optional(),
  input: dataSchema(
    'What the data must be when the stage is called; an event that does not fit is a dead letter.',
  ).optional(),
}
const settingsSchema = schema.strictObject(stageSettings)
/** Settings of a stage that is a file or a function. */
const fileSettings = ['isolate', 'use', 'with', ...Object.keys(stageSettings)].sort()
const noName = 'the stage needs a name: its work is remembered under it'
const isolateProblem =
  'only a function of a file can run in a worker thread, which loads it by itself: move it to a file of its own and write use: ./stage.ts#name'

/** A slot for one entry of `stages`. */
export function checkingStageSlot(catalogue: Catalogue): StageSlot {
  return schema
    .custom<StageInputEntry>(() => true)
    .transform((value, context): CheckedStage => answer(checkStage(value, catalogue), context))
}

type Settings = schema.output<typeof settingsSchema>
interface Body extends Pick<CheckedStage, 'isPure' | 'runsUserCode' | 'foldVersion' | 'waitsFor' | 'make'> {
  readonly own?: StageDefaults | undefined
}

function finish(settings: Settings, fallbackName: string, { own, ...body }: Body): Checked<CheckedStage> {
  const {
    name = fallbackName,
    concurrency = own?.concurrency ?? defaults.concurrency,
    buffer = own?.buffer ?? defaults.buffer,
    timeout: timeoutMs = own?.timeoutMs,
  } = settings
  const retry = settings.retry && retryPolicies(settings.retry)
  const { input } = settings
  const make = (context: CreateContext): Stage =>
    input === undefined ? body.make(context) : withInput(body.make(context), input, context.directory, name)
  return { ok: true, value: { ...body, name, concurrency, buffer, timeoutMs, retry, make } }
}

function checkStage(value: unknown, catalogue: Catalogue): Checked<CheckedStage> {
  if (isFunctionStage(value)) {
    const { isPure = false, ...written } = value.settings
    if ('isolate' in written) return problem(isolateProblem, ['isolate'])
    const settings = check(settingsSchema, { ...written, name: value.name })
    return settings.ok ? finish(settings.value, value.name, functionBody(value.process, isPure)) : settings
  }
  if (isUse(value)) return checkEntry({ use: value }, catalogue)
  if (isDefinition(value)) return problem(`call it with its options: ${value.declaration.name}({ … })`)
  if (typeof value === 'function') return problem('give the function a name: stage("name", function)')
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return problem('a mapping is needed: { use: … }', [], { available: catalogue.names('stage') })
  return checkEntry(value as Readonly<Record<string, unknown>>, catalogue)
}

function functionBody(process: StageFunction, isPure = false): Body {
  return { isPure, runsUserCode: true, make: () => ({ process }) }
}

function checkEntry(entry: Readonly<Record<string, unknown>>, catalogue: Catalogue): Checked<CheckedStage> {
  const { use, name, concurrency, buffer, timeout, retry, input, isolate, with: own, ...inline } = entry
  const settings = check(settingsSchema, { name, concurrency, buffer, timeout, retry, input })
  const isolation = checkIsolate(isolate)
  if (!isolation.ok) return { ok: false, issues: [...(settings.ok ? [] : settings.issues), ...isolation.issues] }
  const written = { use, own, inline, name }
  const body = isolation.value === undefined ? checkBody(written, catalogue) : checkIsolated(written, isolation.value)
  if (settings.ok && body.ok) return finish(settings.value, body.value.name, body.value)
  return { ok: false, issues: [settings, body].flatMap((each) => (each.ok ? [] : each.issues)) }
}

function checkIsolate(isolate: unknown): Checked<IsolateSetting | undefined> {
  const checked = check(isolateSetting.optional(), isolate)
  if (checked.ok) return checked
  return { ok: false, issues: checked.issues.map((issue) => ({ ...issue, path: ['isolate', ...issue.path] })) }
}

interface Written {
  readonly use: unknown
  readonly own: unknown
  readonly inline: Readonly<Record<string, unknown>>
  readonly name: unknown
}

function checkBody(
  { use, own, inline, name }: Written,
  catalogue: Catalogue,
): Checked<Body & { readonly name: string }> {
  if (use === undefined)
    return problem('the stage is missing: write use: and a name or a file', [], { available: catalogue.names('stage') })
  if (typeof use === 'function' && !isDefinition(use)) return checkFunction(use as StageFunction, own, inline, name)
  const declared = declarationOf('stage', use, catalogue, ['use'])
  if (!declared.ok) return declared
  const declaration = declared.value
  if (isUse(use) && own !== undefined)
    return problem('it has its options already: leave with out, or name a stage that takes options', ['with'])
  const given = isUse(use) ? use.options : own
  if (given !== undefined && Object.keys(inline).length > 0)
    return {
      ok: false,
      issues: Object.keys(inline).map((key) =>
        unknownSetting([key], ['use', 'with', ...Object.keys(stageSettings)].sort()),
      ),
    }
  const checked = checkOptions(declaration, given ?? inline)
  if (!checked.ok) {
    const prefix = own === undefined ? [] : ['with']
    return {
      ok: false,
      issues: checked.issues.map((issue): SchemaIssue => ({ ...issue, path: [...prefix, ...issue.path] })),
    }
  }
  const { options } = checked.value
  const isBuiltIn = catalogue.has(declaration)
  return {
    ok: true,
    value: {
      name: declaration.name,
      isPure: declaration.isPure === true,
      runsUserCode: declaration.runsUserCode ?? !isBuiltIn,
      own: declaration.defaults?.(options),
      foldVersion: declaration.foldVersion?.(options),
      waitsFor: declaration.waitsFor?.(options),
      make: (context) => declaration.create(options, context),
    },
  }
}

/** A function that runs in threads: only its place can be told to them. */
function checkIsolated(
  { use, own, inline, name }: Written,
  setting: IsolateSetting,
): Checked<Body & { readonly name: string }> {
  if (typeof use !== 'string' || !isFilePath(use)) return problem(isolateProblem, ['isolate'])
  const extra = Object.keys(inline)
  if (extra.length > 0) return { ok: false, issues: extra.map((key) => unknownSetting([key], fileSettings)) }
  try {
    structuredClone(own)
  } catch {
    return problem('what goes to an isolated stage must be data: it holds a function or the like', ['with'])
  }
  if (name === undefined) return problem(noName)
  return {
    ok: true,
    value: {
      name: String(name),
      isPure: false,
      runsUserCode: true,
      make: (context) => isolatedStage(use, own, setting, context),
    },
  }
}

/** A function from a file or in code: `with`, which nothing describes, goes to it as it is, as its second argument. */
function checkFunction(
  run: (input: Parameters<StageFunction>[0], own: unknown) => ReturnType<StageFunction>,
  own: unknown,
  inline: Readonly<Record<string, unknown>>,
  name: unknown,
): Checked<Body & { readonly name: string }> {
  const extra = Object.keys(inline)
  if (extra.length > 0) return { ok: false, issues: extra.map((key) => unknownSetting([key], fileSettings)) }
  if (name === undefined) return problem(noName)
  return { ok: true, value: { name: String(name), ...functionBody((input) => run(input, own)) } }
}
