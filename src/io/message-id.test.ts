import { describe, expect, it } from 'vitest'
import { messageId } from './message-id.ts'

describe('messageId', () => {
  // G15
  it('is the same for the same event and subscription', () => {
    expect(messageId('crm', 'shop', '42')).toBe(messageId('crm', 'shop', '42'))
  })

  it('differs when the parts only join to the same text', () => {
    const ids = [
      messageId('a', 'b', 'c'),
      messageId('ab', '', 'c'),
      messageId('a', 'bc', ''),
      messageId('a","b', '', 'c'),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  // SEC-20
  it('never contains a dot', () => {
    for (let n = 0; n < 500; n++) expect(messageId('a.b', 'c.d', `${n}.5`)).toMatch(/^msg_[A-Za-z0-9_-]{22,}$/)
  })
})
