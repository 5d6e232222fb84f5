import { commandOption, directoryOption, envOption } from '../../io/command-options.ts'
import { eventTypeOption } from '../../io/event-type.ts'
import { schema } from '../../plugin/schema.ts'
import { duration, size } from '../../plugin/values.ts'

/** The options of the source `command`. */
export const commandSourceOptions = schema.strictObject({
  command: commandOption('The program and its arguments, one element each; no shell reads them.'),
  restart: schema
    .enum(['always', 'on-failure', 'never'])
    .default('always')
    .describe('When the program is started again after its end; on-failure: unless its exit code was 0.'),
  pause: schema
    .strictObject({
      first: duration('Before the first new start.', 1).prefault('1s'),
      longest: duration('The pause doubles up to this, until a run has lasted a minute.', 1).prefault('1m'),
    })
    .prefault({})
    .describe('How long to wait before the program is started again.'),
  cursor: schema
    .string()
    .min(1)
    .optional()
    .describe(
      'The member of a line that says how far the program has come. The newest stored one is given to the next run as ' +
        'MILLRACE_CURSOR. A line with this member alone is no event.',
    ),
  eventType: eventTypeOption('The type of events whose line does not name one.').default('command.line'),
  ids: schema
    .enum(['content', 'unique'])
    .default('content')
    .describe(
      'Ids of lines that name none. content: from the place in the run and the text, so that a run that says the same again ' +
        'is absorbed; unique: every line is a new event.',
    ),
  maxLine: size('The longest line.').prefault('1MiB'),
  env: envOption(
    'Variables for the program; it gets PATH, HOME, LANG, TZ, TMPDIR and MILLRACE_* beside them and nothing else.',
  ),
  cwd: directoryOption(),
  grace: duration('Between SIGTERM and SIGKILL, when the program is stopped.', 0, 60_000).prefault('2s'),
})

export type CommandSourceOptions = ReturnType<typeof commandSourceOptions.parse>
