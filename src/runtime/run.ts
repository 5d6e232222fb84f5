import type { Pipeline, PipelineStats, RunOptions } from './api.ts'

/** Runs a pipeline until `end` resolves: with nothing when it was stopped, with the reason when it cannot go on. */
export async function runToEnd(
  pipeline: Pick<Pipeline, 'open' | 'start' | 'stop' | 'stats'>,
  end: () => Promise<Error | undefined>,
  { signal }: RunOptions,
): Promise<PipelineStats> {
  const stop = (): void => void pipeline.stop()
  try {
    await pipeline.open()
    // Nothing is delivered for a signal that was aborted before.
    if (signal?.aborted !== true) await pipeline.start()
    if (signal?.aborted === true) stop()
    signal?.addEventListener('abort', stop, { once: true })
    const failure = await end()
    if (failure !== undefined) throw failure
  } finally {
    signal?.removeEventListener('abort', stop)
    await pipeline.stop()
  }
  return pipeline.stats()
}
