import { initial } from './0001-initial.ts'

/** One step per version: step n takes a database from `user_version` n to n + 1. Never edited, only appended to. */
export const migrations: readonly string[] = [initial]
