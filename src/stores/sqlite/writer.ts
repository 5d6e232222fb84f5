import { workerData } from 'node:worker_threads'
import { AppError } from '../../core/errors.ts'
import type { WriterData } from './protocol.ts'
import { serve } from './serve.ts'
import { createWriter } from './writer-operations.ts'

// The writer thread: owns the lock and the one connection that writes.
const data = workerData as WriterData | null
if (data === null) throw new AppError('internal', 'writer.ts is a worker and is started by the SQLite store only')
serve(() => createWriter(data))
