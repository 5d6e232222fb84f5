import { expect, test } from 'vitest'
import { createPairHash } from './sip-hash.ts'

/** The same function over 64-bit integers, as its authors write it. */
function reference(key: Uint8Array, words: readonly bigint[]): bigint[] {
  const mask = (1n << 64n) - 1n
  const view = new DataView(key.buffer)
  const [k0, k1] = [view.getBigUint64(0, true), view.getBigUint64(8, true)]
  let v0 = k0 ^ 0x736f6d6570736575n
  let v1 = k1 ^ 0x646f72616e646f6dn ^ 0xeen
  let v2 = k0 ^ 0x6c7967656e657261n
  let v3 = k1 ^ 0x7465646279746573n
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask
  const round = (): void => {
    v0 = (v0 + v1) & mask
    v1 = rotate(v1, 13n) ^ v0
    v0 = rotate(v0, 32n)
    v2 = (v2 + v3) & mask
    v3 = rotate(v3, 16n) ^ v2
    v0 = (v0 + v3) & mask
    v3 = rotate(v3, 21n) ^ v0
    v2 = (v2 + v1) & mask
    v1 = rotate(v1, 17n) ^ v2
    v2 = rotate(v2, 32n)
  }
  for (const word of words) {
    v3 ^= word
    round()
    v0 ^= word
  }
  v2 ^= 0xeen
  for (let index = 0; index < 3; index++) round()
  const first = v0 ^ v1 ^ v2 ^ v3
  v1 ^= 0xddn
  for (let index = 0; index < 3; index++) round()
  return [first, v0 ^ v1 ^ v2 ^ v3]
}

function wordsOf(text: string): bigint[] {
  const words: bigint[] = []
  for (let at = 0; at < text.length; at += 4) {
    let word = 0n
    for (let index = 0; index < 4; index++) word |= BigInt(text.charCodeAt(at + index) || 0) << BigInt(16 * index)
    words.push(word)
  }
  return words
}

const key = Uint8Array.from({ length: 16 }, (_, index) => index * 7 + 1)

test.each([
  ['', ''],
  ['a', 'b'],
  ['shop', 'order-1'],
  ['https://example.com/ü', '0195b2f0-7e3b-7c4a-9f00-000000000001'],
  ['x', '\uffff\ud83d\ude00'],
])('hashes %j, %j as SipHash-1-3-128 does', (source, id) => {
  const words = new Uint32Array(4)
  createPairHash(key)(source, id, words)
  const expected = reference(key, [
    BigInt(source.length) | (BigInt(id.length) << 32n),
    ...wordsOf(source),
    ...wordsOf(id),
  ])
  const join = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low)
  expect([join(words[0]!, words[1]!), join(words[2]!, words[3]!)]).toEqual(expected)
})

test('where source ends and id begins counts, and so does the key', () => {
  const hash = (bytes: Uint8Array, source: string, id: string): string => {
    const words = new Uint32Array(4)
    createPairHash(bytes)(source, id, words)
    return words.join()
  }
  const all = [
    hash(key, 'ab', 'c'),
    hash(key, 'a', 'bc'),
    hash(key, 'abc', ''),
    hash(key, 'ab', 'c\0'),
    hash(new Uint8Array(16), 'ab', 'c'),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test('hashes texts of every length one after the other, whatever came before', () => {
  const hash = createPairHash(key)
  const words = new Uint32Array(4)
  const texts = [
    'x'.repeat(3000),
    ...Array.from({ length: 10 }, (_, length) => 'äb€d\ud83d\ude00ghij'.slice(0, length)),
  ]
  for (const source of texts) {
    for (const id of texts) {
      hash(source, id, words)
      const input = [BigInt(source.length) | (BigInt(id.length) << 32n), ...wordsOf(source), ...wordsOf(id)]
      const [first, second] = reference(key, input)
      expect([words[0], words[1]], `${source.length}, ${id.length}`).toEqual([
        Number(first! >> 32n),
        Number(first! & 0xffffffffn),
      ])
      expect([words[2], words[3]]).toEqual([Number(second! >> 32n), Number(second! & 0xffffffffn)])
    }
  }
})
