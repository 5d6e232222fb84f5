import { describe, expect, it } from 'vitest'
import { type WebhookFailure, webhookFailures, webhookOutcome } from './webhook-outcome.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')
const answered = (status: number, more: { retryAfter?: string; excerpt?: string; durationMs?: number } = {}) =>
  webhookOutcome({ kind: 'response', status, ...more }, nowMs)

describe('the outcome of a webhook', () => {
  // S0-75
  it('is decided by every status as the published table says', () => {
    const passing = new Set([408, 409, 425, 429])
    for (let status = 200; status < 600; status++) {
      const expected = status < 300 ? 'ack' : status >= 500 || passing.has(status) ? 'retry' : 'reject'
      expect([status, answered(status).outcome]).toEqual([status, expected])
    }
  })

  it('disables the subscription for 410 and nothing else', () => {
    for (let status = 200; status < 600; status++)
      expect(answered(status).disable).toBe(status === 410 ? true : undefined)
  })

  it('is a retry for everything without an answer', () => {
    for (const failure of Object.keys(webhookFailures) as WebhookFailure[]) {
      const outcome = webhookOutcome({ kind: 'failed', failure, durationMs: 7 }, nowMs)
      expect(outcome).toMatchObject({ outcome: 'retry', detail: { error: failure, durationMs: 7 } })
      expect(outcome.reason).toBeTruthy()
    }
    expect(webhookOutcome({ kind: 'failed', failure: 'timeout' }, nowMs)).toEqual({
      outcome: 'retry',
      reason: 'timeout',
      detail: { error: 'timeout' },
    })
  })

  it('is a reject that says nothing of a blocked address', () => {
    expect(webhookOutcome({ kind: 'blocked' }, nowMs)).toEqual({
      outcome: 'reject',
      reason: 'the egress rules do not allow the address',
    })
  })

  it('takes over Retry-After in seconds and as a date, and only where it retries', () => {
    expect(answered(429, { retryAfter: '120' }).retryAfterMs).toBe(120_000)
    expect(answered(503, { retryAfter: 'Fri, 02 Jan 2026 03:05:05 GMT' }).retryAfterMs).toBe(60_000)
    expect(answered(503, { retryAfter: 'soon' })).not.toHaveProperty('retryAfterMs')
    expect(answered(503)).not.toHaveProperty('retryAfterMs')
    expect(answered(400, { retryAfter: '120' })).not.toHaveProperty('retryAfterMs')
  })

  it('keeps status, duration and excerpt of a failure, and nothing of a success', () => {
    const more = { excerpt: 'no', durationMs: 12 }
    expect(answered(422, more).detail).toEqual({ status: 422, excerpt: 'no', durationMs: 12 })
    expect(answered(500, { excerpt: '' }).detail).toEqual({ status: 500 })
    expect(answered(204, more)).toEqual({ outcome: 'ack' })
    expect(answered(302).reason).toBe('status 302: redirects are not followed')
  })
})

it('tells of a success only where somebody wants to know', () => {
  const answer = { kind: 'response', status: 200, excerpt: 'ok' } as const
  expect(webhookOutcome(answer, nowMs)).toEqual({ outcome: 'ack' })
  expect(webhookOutcome(answer, nowMs, true)).toEqual({ outcome: 'ack', detail: { status: 200, excerpt: 'ok' } })
})
