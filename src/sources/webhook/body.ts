import { scanJson } from '../../core/json-scan.ts'
import type { Received, ReceivedRequest } from '../../plugin/source.ts'

/** A body that was read; `text` is that of JSON as the sender wrote it. */
export type Body =
  | { readonly ok: true; readonly value: unknown; readonly text: string | undefined }
  | { readonly ok: false; readonly refusal: Extract<Received, { readonly kind: 'refused' }> }

/** More than any event may hold: ingest has the limits of the configuration. */
const limits = { depth: 512, keys: 100_000 }
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Reads JSON or a form, as the content type says; without one it must be JSON. */
export function readBody({ headers, body }: ReceivedRequest): Body {
  const type = (headers['content-type'] ?? 'application/json').split(';', 1)[0]!.trim().toLowerCase()
  const isForm = type === 'application/x-www-form-urlencoded'
  if (!isForm && type !== 'application/json' && !/^[^/\s]+\/[^/\s]+\+json$/.test(type))
    return refuse('content-type-unsupported', 'the body must be JSON or a form: send the fitting Content-Type')
  let text: string
  try {
    text = decoder.decode(body).trim()
  } catch {
    return refuse('body-malformed', 'the body is not valid UTF-8')
  }
  return isForm ? readForm(text) : readJson(text)
}

function readJson(text: string): Body {
  const scanned = scanJson(text, limits)
  if (!scanned.ok) return refuse('body-malformed', `the body is JSON that is not taken: ${scanned.problem}`)
  try {
    return { ok: true, value: JSON.parse(text) as unknown, text }
  } catch {
    // The parser's own message quotes the text.
    return refuse('body-malformed', 'the body is not valid JSON')
  }
}

/** The fields as an object of texts. A field `payload` that holds JSON is what GitHub and Slack send as the whole body. */
function readForm(text: string): Body {
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const known = fields.get(name)
    if (known === undefined) fields.set(name, value)
    else if (typeof known === 'string') fields.set(name, [known, value])
    else known.push(value)
  }
  const payload = fields.get('payload')
  if (typeof payload === 'string' && payload.startsWith('{')) return readJson(payload)
  return { ok: true, value: Object.fromEntries(fields), text: undefined }
}

function refuse(code: 'body-malformed' | 'content-type-unsupported', message: string): Body {
  return { ok: false, refusal: { kind: 'refused', code, message } }
}
