export { AppError } from '../core/errors.ts'
export { createClient } from './client.ts'
export type {
  BufferOptions,
  Client,
  ClientEvent,
  ClientOptions,
  ClientStats,
  Fetch,
  PublishResult,
  PublishStatus,
  UnavailableMode,
} from './types.ts'
