import { commandOption, directoryOption, envOption } from '../../io/command-options.ts'
import { isSteeringVariable } from '../../io/process/environment.ts'
import { schema } from '../../plugin/schema.ts'
import { duration, size } from '../../plugin/values.ts'
import { isScript, placeholderProblem, placeholdersIn } from './placeholders.ts'

const codes = (description: string, otherwise: readonly number[]) =>
  schema
    .array(schema.int().min(0).max(255))
    .default([...otherwise])
    .describe(description)

const plain = schema.strictObject({
  command: commandOption(
    'The program and its arguments, one element each; no shell reads them. {id}, {type}, {source}, {subject}, {time}, ' +
      '{sequence} and {data.path} in an argument stand for what the event says.',
  ),
  batch: schema
    .strictObject({
      size: schema.int().min(1).max(10_000).describe('Events for one command at most.'),
      wait: duration('How long to wait for more before a smaller batch runs.').prefault('1s'),
    })
    .optional()
    .describe('Run one command for several events, which it gets as NDJSON. Without it: one command for each event.'),
  exit: schema
    .strictObject({
      ack: codes('Done.', [0]),
      retry: codes('Try again.', [75]),
      reject: codes('Never try again: dead letter.', [65]),
      discard: codes('Not wanted: settled as discarded.', []),
    })
    .prefault({})
    .describe('What exit codes mean. Every other code, and the end by a signal, is a retry.'),
  idempotent: schema
    .boolean()
    .default(true)
    .describe(
      'False: the program must not be run again for an event when nobody knows what it has done. Then an event is a dead ' +
        'letter when Millrace was ended or killed during its run, and when the run was stopped (timeout) or ended by a signal. ' +
        'Costs a commit before each run.',
    ),
  env: envOption(
    'Variables for the program; it gets PATH, HOME, LANG, TZ, TMPDIR and MILLRACE_* beside them and nothing else. ' +
      'Values may hold placeholders.',
  ),
  cwd: directoryOption(),
  output: size('How much of the end of each output is kept in the record of the attempt, 64KiB at most.')
    .refine((bytes) => bytes <= 65_536, { error: 'too large: at most 64KiB' })
    .prefault('4KiB'),
  grace: duration('Between SIGTERM and SIGKILL, when a command is stopped.', 0, 60_000).prefault('2s'),
})

/** The options of the sink `command`. */
export const commandSinkOptions = plain.superRefine((options, context) => {
  for (const { path, message } of problemsOf(options)) context.addIssue({ code: 'custom', path: [...path], message })
})

export type CommandSinkOptions = ReturnType<typeof plain.parse>

interface Problem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

function problemsOf({ command, batch, env = {}, exit }: CommandSinkOptions): Problem[] {
  const problems: Problem[] = []
  const at = (path: Problem['path'], message: string | undefined): void => {
    if (message !== undefined) problems.push({ path, message })
  }
  command.forEach((element, index) => {
    const names = placeholdersIn(element)
    for (const name of names) at(['command', index], placeholderProblem(name))
    if (names.length === 0) return
    if (index === 0) at(['command', index], 'the program itself cannot come from an event')
    else if (batch !== undefined) at(['command', index], 'a batch has many events: take them from standard input')
    else if (isScript(command, index))
      at(
        ['command', index],
        'an event must not become code: write ["sh", "-c", "… \\"$1\\" …", "sh", "{id}"] and use $1',
      )
  })
  for (const [name, value] of Object.entries(env)) {
    const names = placeholdersIn(value)
    for (const each of names) at(['env', name], placeholderProblem(each))
    if (names.length === 0) continue
    if (batch !== undefined) at(['env', name], 'a batch has many events: take them from standard input')
    if (isSteeringVariable(name)) at(['env', name], 'this variable decides what runs, so it cannot come from an event')
  }
  const seen = new Map<number, string>()
  for (const [meaning, list] of Object.entries(exit)) {
    for (const code of list) {
      const other = seen.get(code)
      if (other !== undefined && other !== meaning) at(['exit', meaning], `exit code ${code} means ${other} already`)
      seen.set(code, meaning)
    }
  }
  return problems
}
