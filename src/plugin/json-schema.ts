import { createRequire } from 'node:module'
import type { Ajv2020, ErrorObject } from 'ajv/dist/2020.js'
import { messageOf } from '../core/errors.ts'

/** What is wrong with a value. Messages speak of the schema and never echo the value. */
export interface DataProblem {
  /** A JSON pointer into the data; empty for the whole. */
  readonly path: string
  readonly message: string
}

/** A compiled JSON Schema: the first problem of a value is enough, as finding all of them can be made slow by the sender. */
export type JsonSchemaCheck = (data: unknown) => readonly DataProblem[]

export type CompiledJsonSchema =
  | { readonly ok: true; readonly check: JsonSchemaCheck }
  | { readonly ok: false; readonly problem: string }

const require = createRequire(import.meta.url)
const dialect = 'https://json-schema.org/draft/2020-12/schema'

/** Loaded at the first schema only: nobody else pays for it. */
function createAjv(): Ajv2020 {
  const { Ajv2020: Ajv } = require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')
  const addFormats = require('ajv-formats') as typeof import('ajv-formats').default
  const ajv = new Ajv({ strict: true, strictTypes: false, strictTuples: false, strictRequired: false, logger: false })
  addFormats(ajv)
  return ajv
}

/** Compiles a JSON Schema 2020-12; unknown keywords and formats, and references that lead out, are problems. */
export function compileJsonSchema(schema: unknown): CompiledJsonSchema {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    return { ok: false, problem: 'a JSON Schema is an object' }
  const { $schema, $async } = schema as { readonly $schema?: unknown; readonly $async?: unknown }
  if ($schema !== undefined && String($schema).replace(/#$/, '') !== dialect)
    return { ok: false, problem: `only JSON Schema 2020-12 is known: write "$schema": "${dialect}", or leave it out` }
  if ($async !== undefined) return { ok: false, problem: 'there is no keyword $async in JSON Schema' }
  try {
    const validate = createAjv().compile(schema)
    return { ok: true, check: (data) => (validate(data) ? [] : (validate.errors ?? []).map(problemOf)) }
  } catch (error) {
    return { ok: false, problem: messageOf(error) }
  }
}

function problemOf({ instancePath, message, keyword, params }: ErrorObject): DataProblem {
  const path = instancePath.slice(0, 200)
  if (keyword === 'enum')
    return { path, message: `must be one of ${JSON.stringify(params['allowedValues']).slice(0, 200)}` }
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties')
    return { path, message: 'has a property that the schema does not know' }
  return { path, message: message ?? `does not fit ${keyword}` }
}
