import { createSigner, parseSigningSecret, type Sign, type SigningKey } from '../../io/signing.ts'
import type { WebhookOptions } from './options.ts'

interface Timed {
  readonly key: SigningKey
  /** From this moment on nothing is signed with it. */
  readonly untilMs: number
}

/** What signs at a moment; undefined when nothing does. Secrets whose time is over are out of use at once (SEC-19). */
export type SignerAt = (nowMs: number) => Sign | undefined

/** A signer of the options' secrets; keys are made once and signers only when a secret ends. */
export function createSignerAt(options: WebhookOptions): SignerAt {
  const all = timedKeys(options)
  let live: readonly Timed[] | undefined
  let changesAt = Number.POSITIVE_INFINITY
  let sign: Sign | undefined
  return (nowMs) => {
    if (live === undefined || nowMs >= changesAt || live.some(({ untilMs }) => untilMs <= nowMs)) {
      live = all.filter(({ untilMs }) => untilMs > nowMs)
      changesAt = Math.min(...live.map(({ untilMs }) => untilMs))
      sign = live.length === 0 ? undefined : createSigner(live.map(({ key }) => key))
    }
    return sign
  }
}

function timedKeys({ secret: one, secrets = one === undefined ? [] : [one] }: WebhookOptions): Timed[] {
  return secrets.flatMap((each) => {
    const { secret, until } = typeof each === 'string' ? { secret: each } : each
    const parsed = parseSigningSecret(secret)
    return parsed.ok
      ? [{ key: parsed.key, untilMs: until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until) }]
      : []
  })
}
