import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64, encodeBase64 } from './base64.ts'

test('bytes read back as they were, and the text is the one that everybody writes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const text = encodeBase64(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('base64'))
      expect(decodeBase64(text)).toEqual(bytes)
      expect(decodeBase64(text.replaceAll('=', ''))).toEqual(bytes)
    }),
  )
})
test.each(['A', 'AAAAA', 'AA=', 'A===', 'A=AA', 'AA A', 'AA-_', 'AAé=', '====', '=', 'AAAA='])(
  '"%s" is refused',
  (text) => {
    expect(decodeBase64(text)).toBeUndefined()
  },
)
