import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import { AppError } from '../../core/errors.ts'
import { createCheckpoint } from './checkpoint.ts'
import { setDurability } from './database.ts'
import type { WriterData } from './protocol.ts'
import { serve } from './serve.ts'

// The checkpoint thread: a second connection of the same process that never writes but moves the log into the file.
const data = workerData as WriterData | null
if (data === null) throw new AppError('internal', 'checkpointer.ts is a worker and is started by the SQLite store only')

export interface CheckpointOperations {
  run(): void
  close(): void
}

serve((): CheckpointOperations => {
  const database = new DatabaseSync(data.database.path, { defensive: true, timeout: 0 })
  // Checkpoints sync log and file by the connection's own setting.
  setDurability(database, data.database)
  const checkpoint = createCheckpoint(database)
  return { run: checkpoint.runMost, close: () => database.close() }
})
