import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AppError, messageOf } from '../core/errors.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput } from '../plugin/stage.ts'
import type { StageFunction } from '../plugin/stage-function.ts'

type Called = (input: StageInput, own: unknown) => ReturnType<StageFunction>

/** Calls a function of a module: what `use: ./file.ts#name` does, with the stage's name chosen by the configuration. */
export const call = defineStage({
  name: 'call',
  summary: 'Calls a function of a module with each event.',
  runsUserCode: true,
  options: schema.strictObject({
    module: schema
      .string()
      .regex(/^(?:\.{1,2}\/|\/)[^#]+(?:#\w+)?$/, {
        error: 'a path such as ./price.ts, or ./price.ts#name for one of its functions, is needed',
      })
      .describe(
        'The file, relative to the configuration, and after # the name of the function. Default: its default export.',
      ),
    settings: schema.unknown().describe('What the function is given as its second argument.').optional(),
  }),
  example: { module: './price.ts#withTax', settings: { rate: 0.2 } },
  create({ module, settings: own }, { directory }) {
    let called: Called | undefined
    return {
      async open() {
        called = await load(module, directory)
      },
      process(input) {
        if (called === undefined) throw new Error('it was not opened')
        return called(input, own)
      },
    }
  },
})

async function load(module: string, directory: string): Promise<Called> {
  const [file, name = 'default'] = module.split('#') as [string, string?]
  let exported: unknown
  try {
    exported = ((await import(pathToFileURL(resolve(directory, file)).href)) as Readonly<Record<string, unknown>>)[name]
  } catch (error) {
    throw new AppError('config-invalid', `loading ${file} for the stage call failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (typeof exported === 'function') return exported as Called
  throw new AppError('config-invalid', `${file} has no function ${name}: export one, or name another after #`)
}
