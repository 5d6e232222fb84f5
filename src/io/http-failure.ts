import type { WebhookFailure } from '../core/webhook-outcome.ts'
import { blockedCode } from './egress-connect.ts'

/** Why no answer came, or that the guard refused the address. */
export type NoAnswer =
  | { readonly kind: 'failed'; readonly failure: WebhookFailure }
  /** The egress rules do not allow the address. */
  | { readonly kind: 'blocked' }

/** Sorts an error of undici, Node or OpenSSL into what a user can act upon. */
export function noAnswerOf(error: unknown): NoAnswer {
  const { code: given, name } = error as { code?: unknown; name?: unknown }
  const code = String(given ?? '')
  return code === blockedCode ? { kind: 'blocked' } : { kind: 'failed', failure: failureOf(code, name) }
}

function failureOf(code: string, name: unknown): WebhookFailure {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') return 'dns'
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') return 'reset'
  if (code === 'ETIMEDOUT' || code.endsWith('_TIMEOUT') || code === 'UND_ERR_ABORTED') return 'timeout'
  if (name === 'HTTPParserError' || code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW') return 'protocol'
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/.test(code)) return 'tls'
  return 'network'
}
