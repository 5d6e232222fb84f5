import type { Platform } from '../../core/platform.ts'
import type { HttpClient } from '../../io/http-client.ts'
import { type Answer, readAnswer } from './answer.ts'
import type { PollOptions } from './options.ts'
import type { PageRequest } from './request.ts'

/** Sends a request, with more headers, and reads its answer; given up after the timeout or when the signal aborts. */
export async function ask(
  client: HttpClient,
  { method, url, body }: PageRequest,
  more: readonly string[],
  { headers, timeout, maxBody }: PollOptions,
  { after, clock }: Platform,
  signal: AbortSignal,
): Promise<Answer> {
  const gone = new AbortController()
  const giveUp = (): void => gone.abort()
  const timer = after(timeout, giveUp)
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    const answer = await client.request({
      method,
      url,
      headers: [...headersOf(headers, body !== undefined), ...more],
      body,
      maxBodyBytes: maxBody,
      onAbort(listener) {
        if (gone.signal.aborted) listener()
        else gone.signal.addEventListener('abort', listener, { once: true })
      },
    })
    return readAnswer(answer, clock.now(), maxBody)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', giveUp)
  }
}

/** The user's headers and, where they do not say otherwise, ours. */
function headersOf(own: Readonly<Record<string, string>>, hasBody: boolean): string[] {
  const given = new Set(Object.keys(own).map((name) => name.toLowerCase()))
  const ours = [
    ['accept', 'application/json'],
    ['user-agent', 'millrace'],
    ...(hasBody ? [['content-type', 'application/json']] : []),
  ]
  return [...ours.filter(([name]) => !given.has(name!)), ...Object.entries(own)].flat()
}
