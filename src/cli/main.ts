import { Command, CommanderError } from 'commander'
import { nearest } from '../core/issues.ts'
import { version } from '../core/version.ts'
import { commandTable } from './command-table.ts'
import { type CliIo, processIo } from './io.ts'
import { printError } from './print-error.ts'

const longestTimerMs = 2 ** 31 - 1

/** Runs one command line. Never throws: what goes wrong is printed, and the exit code is set through `io`. */
export async function main(argv: readonly string[], io: CliIo = processIo()): Promise<void> {
  const isJson = argv.includes('--json')
  // Timers of a pipeline hold no process: without this a command on a store, with nothing else to wait for, would just end.
  const alive = setInterval(() => undefined, longestTimerMs)
  try {
    const program = await programFor(argv, io)
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) printUsage(error, io, isJson)
    else printError(io, error, isJson)
  } finally {
    clearInterval(alive)
  }
}

/** The program with the one command that is asked for; the others are there for the help only. */
async function programFor(argv: readonly string[], io: CliIo): Promise<Command> {
  const program = new Command('millrace')
    .description('A durable event pipeline: sources, one log, stages, sinks.')
    .version(version, '-V, --version', 'print the version')
    .option('-c, --config <file>', 'the configuration (default: millrace.yaml in the working directory)')
    .option('--json', 'print JSON for programs')
    .option('--no-env-file', 'leave the .env beside the configuration unread')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      // Problems are printed once, by `printUsage`; what else goes to stderr is the help after a missing command.
      writeErr: (text) => {
        if (!text.startsWith('error:')) io.err(text)
      },
    })
    .addHelpText('after', '\nExit codes: 0 success, 1 a found problem, 2 wrong use.')
  const wanted = commandIn(argv)
  for (const [name, entry] of Object.entries(commandTable)) {
    if (name !== wanted) {
      program.command(name).description(entry.summary)
      continue
    }
    const { register } = await entry.load()
    register(program, io)
    program.commands.find((command) => command.name() === name)?.summary(entry.summary)
  }
  return program
}

/** The first word that is neither an option nor the value of `--config`. */
function commandIn(argv: readonly string[]): string | undefined {
  return argv.find((word, index) => !word.startsWith('-') && !['-c', '--config'].includes(argv[index - 1] ?? ''))
}

function printUsage(error: CommanderError, io: CliIo, isJson: boolean): void {
  if (error.exitCode === 0) return
  io.setExit(2)
  if (error.code === 'commander.help') return
  let message = error.message.replace(/^error: /, '').replace(/\s+/g, ' ')
  const unknown = /unknown command '([^']*)'/.exec(message)?.[1]
  if (unknown !== undefined && !message.includes('Did you mean')) {
    const near = nearest(unknown, Object.keys(commandTable))
    if (near !== undefined) message += ` (Did you mean ${near}?)`
  }
  if (isJson) io.err(JSON.stringify({ error: { code: 'usage', message } }))
  else
    io.err(`error usage: ${message}
Run "millrace --help" or "millrace <command> --help".`)
}
