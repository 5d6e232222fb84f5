import { schema } from '../../plugin/schema.ts'
import { headerProblem } from './headers.ts'

const missingUrl = "Webhook sink requires a 'url' configuration"

/** The options of the sink `webhook`. */
export const webhookOptions = schema.strictObject({
  url: schema
    .string({ error: missingUrl })
    .describe('Where events are posted: an http or https URL without user name and password.')
    .superRefine((text, context) => {
      const message = urlProblem(text)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    }),
  headers: schema
    .record(schema.string(), schema.string())
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const message = headerProblem(name, value)
        if (message !== undefined) context.addIssue({ code: 'custom', message, path: [name] })
      }
    })
    .optional()
    .describe('Headers sent with every request, for example Authorization.'),
})

/** What is wrong with the URL. The URL itself is never part of the text: it often is the credential. */
function urlProblem(text: string): string | undefined {
  if (text.trim() === '') return missingUrl
  const url = URL.parse(text)
  if (url === null) return 'the url of a webhook is not a URL: write it whole, for example https://example.com/hook'
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `the url of a webhook begins with https:// or http://, not ${url.protocol}`
  if (url.username !== '' || url.password !== '')
    return 'the url of a webhook has no user name or password: put them into headers, as Authorization'
  return undefined
}
