import { describe, expect, it } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { messageId } from './message-id.ts'

const idOf = (subscription: string, source: string, id: string): string =>
  messageId(nodePlatform.digest, subscription, source, id)

describe('message id', () => {
  // G15
  it('is the same for the same event and subscription', () => {
    expect(idOf('crm', 'shop', '42')).toBe(idOf('crm', 'shop', '42'))
  })

  it('differs when the parts only join to the same text', () => {
    const ids = [idOf('a', 'b', 'c'), idOf('ab', '', 'c'), idOf('a', 'bc', ''), idOf('a","b', '', 'c')]
    expect(new Set(ids).size).toBe(ids.length)
  })

  // G13
  it('says in a replay also which one, so that who remembers ids takes it', () => {
    const [live, replayed] = [undefined, 'r1'].map((replay) =>
      messageId(nodePlatform.digest, 'crm', 'shop', '42', replay),
    )
    expect(replayed).toBe(`${live}_r1`)
  })

  // SEC-20
  it('never contains a dot', () => {
    for (let n = 0; n < 500; n++) expect(idOf('a.b', 'c.d', `${n}.5`)).toMatch(/^msg_[A-Za-z0-9_-]{22,}$/)
  })
})
