import { workerData } from 'node:worker_threads'
import { AppError } from '../../core/errors.ts'
import type { WriterData } from './protocol.ts'
import { createReader } from './reader-operations.ts'
import { serve } from './serve.ts'

// The reader thread: catch-up, search and ledger rows, beside the writer.
const data = workerData as WriterData | null
if (data === null) throw new AppError('internal', 'reader.ts is a worker and is started by the SQLite store only')
serve(() => createReader(data))
