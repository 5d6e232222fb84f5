import { pagesBeforeCheckpoint } from './checkpoint.ts'
import type { CheckpointOperations } from './checkpointer.ts'
import { openPort, type Port } from './port.ts'
import type { WriterData } from './protocol.ts'
import type { WriterOperations } from './writer-operations.ts'

/** Decides when the write-ahead log is moved into the file. The thread is started with the first need. */
export function createCheckpoints(writer: Port<WriterOperations> | undefined, data: WriterData) {
  let port: Port<CheckpointOperations> | undefined
  let running: Promise<void> | undefined

  const run = async (): Promise<void> => {
    port ??= openPort<CheckpointOperations>('checkpointer', data)
    // A failure to checkpoint loses nothing: the log only grows, and a full disk shows with the next write.
    await port.call('run').catch(() => undefined)
    await writer?.call('finishCheckpoint').catch(() => undefined)
    running = undefined
  }
  return {
    onLog(pages: number): void {
      if (pages > pagesBeforeCheckpoint) running ??= run()
    },
    async close(): Promise<void> {
      await running
      await port?.call('close').catch(() => undefined)
      await port?.terminate()
    },
  }
}
