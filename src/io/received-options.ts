import { schema } from '../plugin/schema.ts'
import { pickOption } from './pick.ts'

/**
 * The options `id` and `map`: where the fields of an event are in what another system sent. `from` are the names that an
 * expression may use, `where` says it to people, and `otherwise` what holds without them.
 */
export function receivedOptions({
  from,
  where,
  otherwise,
}: {
  readonly from: Parameters<typeof pickOption>[1]
  readonly where: string
  readonly otherwise: string
}) {
  const at = (what: string) => pickOption(`Where ${what} is: ${where}.`, from).optional()
  return {
    id: at('the id of an event'),
    map: schema
      .strictObject({
        type: at('the type'),
        subject: at('the subject'),
        time: at('the time (RFC 3339, or seconds since 1970)'),
        data: at('the data'),
      })
      .describe(`Where the fields of an event are. ${otherwise}`)
      .default({}),
  }
}
