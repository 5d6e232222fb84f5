import { workerData } from 'node:worker_threads'
import { AppError } from '../../core/errors.ts'
import { createInspector } from './inspect.ts'
import type { WriterData } from './protocol.ts'
import { serve } from './serve.ts'

// A thread for the time of a backup or a verification: what takes minutes must not stand in the way of the reader.
const data = workerData as WriterData | null
if (data === null) throw new AppError('internal', 'inspector.ts is a worker and is started by the SQLite store only')
serve(() => createInspector(data))
