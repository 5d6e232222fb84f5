import { createCatalogue } from './plugin/catalogue.ts'
import { consoleSink } from './sinks/console.ts'
import { webhook } from './sinks/webhook.ts'

/** Every built-in plug-in, one line each. */
export const builtIn = [consoleSink, webhook] as const

/** The catalogue of the built-in plug-ins. */
export const builtInCatalogue = createCatalogue(builtIn)
