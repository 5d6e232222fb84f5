import { eventToJson } from '../core/cloud-event.ts'
import { standardWebhooksRetry } from '../core/retry.ts'
import { webhookOutcome } from '../core/webhook-outcome.ts'
import { type HttpClient, openHttpClient } from '../io/http-client.ts'
import { defineSink } from '../plugin/define.ts'
import type { Sink, SinkContext } from '../plugin/sink.ts'
import { attemptHeaders } from './webhook/headers.ts'
import { webhookOptions } from './webhook/options.ts'

/** Sends each event in one HTTP POST of its own. */
export const webhook = defineSink({
  name: 'webhook',
  summary: 'Sends each event as one HTTP POST, and tries again when the receiver cannot take it.',
  delivers:
    'At least once. An event is done when the receiver answers 2xx; a failed attempt is repeated by the retry policy with ' +
    'the same webhook-id, so a receiver that remembers ids handles each event once. After a crash the last attempts may be ' +
    'repeated. 408, 409, 425, 429, 5xx and no answer: again; 3xx and other 4xx: dead letter; 410: the subscription is disabled.',
  options: webhookOptions,
  example: { url: 'https://example.com/hook' },
  defaults: { concurrency: 16, timeoutMs: 15_000, retry: standardWebhooksRetry },
  create: ({ url, headers }, { concurrency }): Sink => createWebhook(new URL(url), headers ?? {}, concurrency),
})

function createWebhook(url: URL, headers: Readonly<Record<string, string>>, connections: number | undefined): Sink {
  const fixed = Object.entries(headers).flat()
  let client: HttpClient | undefined
  return {
    async deliver([delivery], context) {
      const { clock } = context
      client ??= openHttpClient({ connections })
      const body = eventToJson(delivery!.event)
      const began = clock.monotonic()
      const answer = await client.post({
        url,
        headers: attemptHeaders(fixed, { id: delivery!.messageId, timestampMs: clock.now(), body }),
        body,
        onAbort: (listener) => onAbort(context, listener),
      })
      const durationMs = Math.round(clock.monotonic() - began)
      return [webhookOutcome(answer.kind === 'blocked' ? answer : { ...answer, durationMs }, clock.now())]
    },
    async close() {
      await client?.close()
      client = undefined
    },
  }
}

function onAbort(context: SinkContext, listener: () => void): void {
  if (context.onAbort !== undefined) context.onAbort(listener)
  else if (context.signal.aborted) listener()
  else context.signal.addEventListener('abort', listener, { once: true })
}
