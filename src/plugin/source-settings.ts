import { type DebounceRule, debounceStrategies } from '../core/debounce.ts'
import { checkPattern } from '../core/match.ts'
import { type Checked, check, type SchemaIssue, unknownSetting } from './check.ts'
import { schema } from './schema.ts'
import { duration } from './values.ts'

const pattern = schema.string().superRefine((text, context) => {
  const wrong = checkPattern(text)
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})

/** Without `maxWait`: so many windows. A steady stream is then stored now and then instead of never. */
const defaultMaxWaitWindows = 10

const rule = schema
  .strictObject({
    match: schema.array(pattern).min(1).describe('Types: *, prefix.* or exact. Default: *.').optional(),
    strategy: schema
      .enum(debounceStrategies)
      .describe('debounce: each event starts the window anew (default). batch: the window of the first event counts.')
      .optional(),
    window: duration('How long to wait for more.', 1),
    maxWait: duration('The longest wait of the first event under debounce. Default: 10 windows.', 1).optional(),
  })
  .superRefine(({ strategy, window, maxWait }, context) => {
    if (maxWait === undefined) return
    const wrong =
      strategy === 'batch'
        ? 'maxWait has no meaning with strategy: batch, whose window is the longest wait'
        : maxWait < window
          ? 'maxWait must not be shorter than the window'
          : undefined
    if (wrong !== undefined) context.addIssue({ code: 'custom', path: ['maxWait'], message: wrong })
  })
  .transform(
    ({ match = ['*'], strategy = 'debounce', window, maxWait }): DebounceRule => ({
      match,
      strategy,
      windowMs: window,
      maxWaitMs: maxWait ?? window * defaultMaxWaitWindows,
    }),
  )

/** Settings that every source has which reads by itself, beside its own options. */
export const sourceSettings = {
  debounce: schema
    .array(rule)
    .min(1)
    .max(100)
    .describe(
      'Events of one type and subject that come close together are stored as one. The first rule that matches counts.',
    )
    .optional(),
}
const settings = schema.strictObject(sourceSettings)

/** The settings of every source as they are written. */
export type SourceSettings = schema.input<typeof settings>

/** Takes the settings of every source apart from the plug-in's own options and checks both. */
export function checkWithSourceSettings<Own>(
  options: unknown,
  checkOwn: (own: unknown) => Checked<Own>,
): Checked<{ readonly own: Own; readonly debounce: readonly DebounceRule[] | undefined }> {
  const isMapping = typeof options === 'object' && options !== null && !Array.isArray(options)
  const { debounce, ...rest } = (isMapping ? options : {}) as Readonly<Record<string, unknown>>
  const own = checkOwn(isMapping ? rest : options)
  const common = check(settings, debounce === undefined ? {} : { debounce })
  if (own.ok && common.ok) return { ok: true, value: { own: own.value, debounce: common.value.debounce } }
  return { ok: false, issues: [...(own.ok ? [] : own.issues.map(withSettings)), ...(common.ok ? [] : common.issues)] }
}

/** A name that is not known may have been meant for one of these settings. */
function withSettings(issue: SchemaIssue): SchemaIssue {
  if (issue.isAboutKey !== true || issue.path.length !== 1) return issue
  return unknownSetting(issue.path, [...new Set([...(issue.available ?? []), ...Object.keys(sourceSettings)])].sort())
}
