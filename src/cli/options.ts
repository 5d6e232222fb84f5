import type { Command } from 'commander'

/** The options that every command has. */
export interface GlobalOptions {
  readonly config?: string | undefined
  readonly json: boolean
}

/** The global options as given anywhere on the line. */
export function globalOptions(command: Command): GlobalOptions {
  const { config, json } = command.optsWithGlobals<{ config?: string; json?: boolean }>()
  return { config, json: json === true }
}
