import { resolve } from 'node:path'
import { AppError } from '../core/errors.ts'
import { schema } from '../plugin/schema.ts'
import { childEnvironment, variableProblem } from './process/environment.ts'
import { findExecutable } from './process/executable.ts'

const text = schema.string().refine((value) => !value.includes('\0'), { error: 'holds a NUL character' })

/** The option `command`: the program and its arguments, one element each. Text is refused: it would need a shell. */
export function commandOption(description: string) {
  return schema
    .array(text, { error: ({ input }) => (typeof input === 'string' ? listProblem(input) : undefined) })
    .min(1, { error: 'an empty list: the first element is the program' })
    .refine(([file]) => file !== '', { error: 'the first element is the program, and it is empty', path: [0] })
    .describe(description)
}

/** The option `env`: variables for the program. */
export function envOption(description: string) {
  return schema
    .record(schema.string(), text)
    .superRefine((declared, context) => {
      for (const name of Object.keys(declared)) {
        const problem = variableProblem(name)
        if (problem !== undefined)
          context.addIssue({ code: 'custom', path: [name], message: `${JSON.stringify(name)} ${problem}` })
      }
    })
    .optional()
    .describe(description)
}

/** The option `cwd`. */
export function directoryOption() {
  return schema
    .string()
    .min(1)
    .optional()
    .describe('Where the program runs; the folder of the configuration without it.')
}

function listProblem(input: string): string {
  const words = input.trim().split(/\s+/)
  const asList = JSON.stringify(words).replaceAll('","', '", "')
  return (
    `a command is a list of the program and its arguments, because no shell reads it: ${asList}. ` +
    'Where a shell is meant, name it: ["sh", "-c", "…"]'
  )
}

/** Program and folder of a checked command, absolute. Throws `config-invalid` naming what is missing. */
export function locateCommand(
  name: string,
  command: readonly string[],
  { cwd = '.', directory }: { readonly cwd?: string | undefined; readonly directory: string },
): { readonly file: string; readonly directory: string } {
  const found = findExecutable(command[0]!, { directory, path: childEnvironment()['PATH']! })
  if (!found.ok)
    throw new AppError(
      'config-invalid',
      `the command of ${name} cannot run: ${found.problem}. Install it, or name its path`,
    )
  return { file: found.path, directory: resolve(directory, cwd) }
}
