import { isPlainObject } from '../core/event-fields.ts'
import { schemaModes, type Upcast } from './event-schemas.ts'
import { schema } from './schema.ts'
import { isStandardSchema, type StandardSchema } from './standard-schema.ts'

/** A schema as it is written: the path of a file, a JSON Schema, or in code any Standard Schema. */
export type WrittenSchema = string | Readonly<Record<string, unknown>> | StandardSchema

const version = schema.int().min(1).max(1_000_000_000)
/** A place where a schema of data stands. */
export const writtenSchema = schema.custom<WrittenSchema>(
  (value) => typeof value === 'string' || isPlainObject(value) || isStandardSchema(value),
  { error: 'the path of a JSON Schema file is needed' },
)

const entry = schema.strictObject({
  version: version.describe('Which version of the type this is. Default: 1.').optional(),
  schema: writtenSchema.describe('A file with a JSON Schema (2020-12) of the data, relative to the configuration.'),
  mode: schema
    .enum(schemaModes)
    .describe(
      'What becomes of an event that does not fit. reject (default): refused; quarantine: stored as millrace.quarantined; warn: stored, counted and logged.',
    )
    .optional(),
})

/** The setting `schemas`. */
export const schemasSetting = schema.record(
  schema.string().min(1),
  schema.union([entry, schema.array(entry).min(1)], {
    error: 'a mapping with schema, or a list of versions is needed',
  }),
)

/** The setting `events`: types declared in code by a Standard Schema each; checked as with mode reject. */
export const eventsSetting = schema.record(
  schema.string().min(1),
  schema.custom<StandardSchema>(isStandardSchema, {
    error: 'a Standard Schema (zod, valibot, arktype, …) is needed; JSON Schema files belong into schemas',
  }),
)

const upcaster = schema.custom<Upcast | { readonly use: Upcast | string }>(
  (value) =>
    typeof value === 'function' || (isPlainObject(value) && ['function', 'string'].includes(typeof value['use'])),
  { error: 'a function is needed; in a file, write use: ./upcasts.ts#name' },
)

/** The setting `upcast`: by type and version, what makes the next version of it. */
export const upcastSetting = schema.record(
  schema.string().min(1),
  schema.record(
    schema.string().regex(/^[1-9]\d{0,8}$/, { error: 'the version that it starts from is needed, such as 1' }),
    upcaster,
  ),
)

/** The setting `schemas` of a subscription: versions that it stays at. */
export const pinsSetting = schema.record(schema.string().min(1), version)
