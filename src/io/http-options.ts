import { schema } from '../plugin/schema.ts'

/** An option that is the URL of another server. The URL itself is never part of a problem: it often is the credential. */
export function urlOption(description: string) {
  return schema
    .string()
    .min(1)
    .describe(description)
    .transform((text, context): URL => {
      const url = URL.parse(text)
      const problem = url === null ? 'this is not a URL: write it whole, https://… included' : urlProblem(url)
      if (url !== null && problem === undefined) return url
      context.addIssue({ code: 'custom', message: problem ?? '' })
      return schema.NEVER
    })
}

function urlProblem(url: URL): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `a URL that begins with https:// or http:// is needed, not ${url.protocol}`
  if (url.username !== '' || url.password !== '')
    return 'a URL has no user name or password here: put them into headers, as Authorization'
  return undefined
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/
const ours =
  /^(host|content-length|content-encoding|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*)$/i

/** An option that is headers of requests. `reserved` names, in lower case, are set by the plug-in itself. */
export function headersOption(description: string, reserved: readonly string[] = []) {
  return schema
    .record(schema.string(), schema.string())
    .describe(description)
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const message = headerProblem(name, value, reserved)
        if (message !== undefined) context.addIssue({ code: 'custom', message, path: [name] })
      }
    })
}

function headerProblem(name: string, value: string, reserved: readonly string[]): string | undefined {
  if (!token.test(name)) return 'a header name has only letters, digits and - and is at most 100 characters long'
  if (ours.test(name) || reserved.includes(name.toLowerCase()))
    return `the header ${name.toLowerCase()} is set by Millrace and cannot be replaced`
  if (/[^\t\x20-\x7e]/.test(value)) return `the value of the header ${name} has a character that headers cannot carry`
  return value.length > 8192 ? `the value of the header ${name} is longer than 8192 characters` : undefined
}
