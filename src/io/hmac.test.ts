import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTextHmac } from './hmac.ts'

const usual = (secret: Uint8Array, text: string) => createHmac('sha256', secret).update(text).digest('base64')

// SEC-17
test('is HMAC-SHA256 for every secret and text', () => {
  const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 })
  const texts = fc.string({ unit: 'binary', maxLength: 300 })
  fc.assert(
    fc.property(secrets, fc.array(texts, { maxLength: 4 }), (secret, list) => {
      const hmac = createTextHmac(secret)
      for (const text of list) expect(hmac(text)).toBe(usual(secret, text))
    }),
  )
})

test('is the same for texts around the size that is kept ready, and for halves of characters', () => {
  const secret = Buffer.alloc(32, 7)
  const hmac = createTextHmac(secret)
  for (const length of [0, 1, 21_823, 21_824, 21_825, 65_472, 65_536, 200_000]) {
    for (const character of ['a', 'é', '€', '\ud800']) {
      const text = character.repeat(length)
      expect(hmac(text), `${length} ${character}`).toBe(usual(secret, text))
    }
  }
})
