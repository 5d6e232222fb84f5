/** The one place that names the schema library, so that the choice can be undone. */
export { z as schema } from 'zod'

import type { z } from 'zod'

export type Schema = z.ZodType
export type SchemaInput<S extends Schema> = z.input<S>
export type SchemaOutput<S extends Schema> = z.output<S>
