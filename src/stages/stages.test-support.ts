import { onTestFinished } from 'vitest'
import type { CreateContext, StageDeclaration } from '../plugin/define.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Stage } from '../plugin/stage.ts'
import { createPluginContext } from '../testing/plugin-context.ts'

/** A stage with these options, opened; closed when the test ends. */
export async function opened(
  { declaration }: { readonly declaration: StageDeclaration },
  options: unknown,
  context: Partial<CreateContext> = {},
): Promise<Stage> {
  const made = declaration.create(declaration.options.parse(options), {
    directory: '.',
    platform: nodePlatform,
    ...context,
  })
  await made.open?.(createPluginContext({ name: declaration.name }))
  onTestFinished(async () => made.close?.())
  return made
}

/** A platform whose wall clock stands where it is put. */
export function platformAt(nowMs: number) {
  const time = { now: nowMs }
  return { time, platform: { ...nodePlatform, clock: { ...nodePlatform.clock, now: () => time.now } } }
}
