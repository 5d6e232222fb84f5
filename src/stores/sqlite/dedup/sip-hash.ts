/** 128 bits as four unsigned 32-bit words. */
export type Hash128 = Uint32Array

/**
 * SipHash-1-3 with 128 bits of output over (source, id), keyed per store: nobody who does not know the key can make two pairs
 * collide. Both lengths go in first, so no two pairs have the same input; text goes in as UTF-16 code units, four to a word.
 * 64-bit words are pairs of 32-bit halves, because BigInt is twenty times slower.
 */
export function createPairHash(key: Uint8Array): (source: string, id: string, into: Hash128) => void {
  const [k0l, k0h, k1l, k1h] = new Int32Array(key.slice(0, 16).buffer) as unknown as [number, number, number, number]
  let v0l = 0
  let v0h = 0
  let v1l = 0
  let v1h = 0
  let v2l = 0
  let v2h = 0
  let v3l = 0
  let v3h = 0

  function round(): void {
    let low = (v0l >>> 0) + (v1l >>> 0)
    v0h = (v0h + v1h + (low > 0xffffffff ? 1 : 0)) | 0
    v0l = low | 0
    let high = (v1h << 13) | (v1l >>> 19)
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l
    v1h = high ^ v0h
    high = v0h
    v0h = v0l
    v0l = high
    low = (v2l >>> 0) + (v3l >>> 0)
    v2h = (v2h + v3h + (low > 0xffffffff ? 1 : 0)) | 0
    v2l = low | 0
    high = (v3h << 16) | (v3l >>> 16)
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l
    v3h = high ^ v2h
    low = (v0l >>> 0) + (v3l >>> 0)
    v0h = (v0h + v3h + (low > 0xffffffff ? 1 : 0)) | 0
    v0l = low | 0
    high = (v3h << 21) | (v3l >>> 11)
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l
    v3h = high ^ v0h
    low = (v2l >>> 0) + (v1l >>> 0)
    v2h = (v2h + v1h + (low > 0xffffffff ? 1 : 0)) | 0
    v2l = low | 0
    high = (v1h << 17) | (v1l >>> 15)
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l
    v1h = high ^ v2h
    high = v2h
    v2h = v2l
    v2l = high
  }

  function word(low: number, high: number): void {
    v3l ^= low
    v3h ^= high
    round()
    v0l ^= low
    v0h ^= high
  }

  function feed(value: string): void {
    const whole = value.length & ~3
    let at = 0
    for (; at < whole; at += 4) {
      word(
        value.charCodeAt(at) | (value.charCodeAt(at + 1) << 16),
        value.charCodeAt(at + 2) | (value.charCodeAt(at + 3) << 16),
      )
    }
    const rest = value.length - at
    if (rest === 0) return
    const low = value.charCodeAt(at) | (rest > 1 ? value.charCodeAt(at + 1) << 16 : 0)
    word(low, rest > 2 ? value.charCodeAt(at + 2) : 0)
  }

  return (source, id, into) => {
    v0l = k0l ^ 0x70736575
    v0h = k0h ^ 0x736f6d65
    v1l = k1l ^ 0x6e646f6d ^ 0xee
    v1h = k1h ^ 0x646f7261
    v2l = k0l ^ 0x6e657261
    v2h = k0h ^ 0x6c796765
    v3l = k1l ^ 0x79746573
    v3h = k1h ^ 0x74656462
    word(source.length, id.length)
    feed(source)
    feed(id)
    v2l ^= 0xee
    round()
    round()
    round()
    into[0] = v0h ^ v1h ^ v2h ^ v3h
    into[1] = v0l ^ v1l ^ v2l ^ v3l
    v1l ^= 0xdd
    round()
    round()
    round()
    into[2] = v0h ^ v1h ^ v2h ^ v3h
    into[3] = v0l ^ v1l ^ v2l ^ v3l
  }
}
