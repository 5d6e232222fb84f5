import type { ErrorCode } from '../core/errors.ts'
import type { Schema } from '../plugin/schema.ts'
import type { Scope } from './auth.ts'

/** One route: what it takes, what it answers and who may call it. Routing, the checks and OpenAPI all read this. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `{name}` stands for one segment. */
  readonly path: string
  readonly summary: string
  /** Undefined: anybody, also without a token. */
  readonly scope: Scope | undefined
  readonly query?: Schema | undefined
  /** A JSON body; read and checked before the route runs. */
  readonly body?: Schema | undefined
  /** True when the last segment of the path may be empty. */
  readonly isLastOptional?: boolean | undefined
  /** True when an empty body stands for an empty object. */
  readonly isBodyOptional?: boolean | undefined
  /** True for a stream, which may be opened with `?ticket=`. */
  readonly acceptsTicket?: boolean | undefined
  /** Content types of a body that the route reads by itself. */
  readonly consumes?: readonly string[] | undefined
  /** By status; a text is the media type of an answer that is not JSON, undefined one without a body. */
  readonly answers: Readonly<Record<number, Schema | string | undefined>>
  readonly errors: readonly ErrorCode[]
}

/** What any write may answer when the store cannot take it. */
export const storeErrors = ['store-full', 'store-readonly', 'store-closed', 'store-indeterminate'] as const
