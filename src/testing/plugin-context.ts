import type { Log } from '../core/platform.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { PluginContext, SourceContext } from '../plugin/source.ts'

/** A log that keeps its lines: `lines[0].message`. */
export interface RecordingLog extends Log {
  readonly lines: readonly { readonly level: string; readonly message: string; readonly fields: unknown }[]
}

/** A log for tests. */
export function recordingLog(): RecordingLog {
  const lines: { level: string; message: string; fields: unknown }[] = []
  const at = (level: string) => (message: string, fields?: unknown) => void lines.push({ level, message, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** What a stage or sink under test may use of its surroundings. */
export function createPluginContext(options: Partial<PluginContext> = {}): PluginContext {
  return {
    name: 'under-test',
    log: recordingLog(),
    clock: nodePlatform.clock,
    signal: new AbortController().signal,
    ...options,
  }
}

/** What a source under test may use: `sleep` really waits, at most `longestSleepMs`, so that a poll comes round soon. */
export function createSourceContext(
  options: Partial<SourceContext> & { readonly longestSleepMs?: number } = {},
): SourceContext {
  const { longestSleepMs = 20, ...given } = options
  const context = createPluginContext(given)
  const values = new Map<string, string>()
  return {
    ...context,
    sleep: (ms) => sleepOrAbort(Math.min(ms, longestSleepMs), context.signal),
    state: {
      get: async (key) => values.get(key),
      set: async (key, value) => void values.set(key, value),
      delete: async (key) => void (key === undefined ? values.clear() : values.delete(key)),
      deleteOlderThan: async () => 0,
      list: async (prefix = '') =>
        [...values].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value })),
    },
    ...given,
  }
}

function sleepOrAbort(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const end = (wholly: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stopped)
      resolve(wholly)
    }
    const stopped = () => end(false)
    const timer = setTimeout(() => end(true), ms)
    signal.addEventListener('abort', stopped)
  })
}
