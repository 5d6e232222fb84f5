/** What any library's schema offers that follows the Standard Schema specification, as far as it is used here. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** True for a schema of zod, valibot, arktype and the like. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as { readonly '~standard'?: { readonly validate?: unknown } })['~standard']
  return typeof standard?.validate === 'function'
}

/** The schema as JSON Schema, where its library can say it. */
export function jsonSchemaOf(schema: StandardSchema): Readonly<Record<string, unknown>> | undefined {
  const { jsonSchema } = schema['~standard'] as {
    readonly jsonSchema?: { input?(options: { target: string }): Record<string, unknown> }
  }
  try {
    return jsonSchema?.input?.({ target: 'draft-2020-12' })
  } catch {
    // It checks something that JSON Schema has no word for.
    return undefined
  }
}
