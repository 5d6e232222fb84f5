/** 128 bits as four unsigned 32-bit words. */
export type Hash128 = Uint32Array

/** Writes the hash of a pair at an offset. */
export type PairHash = (source: string, id: string, into: Uint32Array, at?: number) => void

/**
 * SipHash-1-3 with 128 bits of output over (source, id), keyed per store: nobody who does not know the key can make two pairs
 * collide. Both lengths go in first, so no two pairs have the same input; text goes in as UTF-16 code units, four to a word.
 * 64-bit words are pairs of 32-bit halves, because BigInt is twenty times slower.
 */
export function createPairHash(key: Uint8Array): PairHash {
  const halves = new Int32Array(key.slice(0, 16).buffer)
  const input = createInput()
  return (source, id, into, at = 0) => {
    const words = input.fill(source, id)
    sipHash(halves, input.halves, words, into, at)
  }
}

/** In one function with one loop, so that its variables stay in registers. */
function sipHash(key: Int32Array, input: Int32Array, words: number, into: Uint32Array, at: number): void {
  const [k0l, k0h, k1l, k1h] = key as unknown as [number, number, number, number]
  let v0l = k0l ^ 0x70736575
  let v0h = k0h ^ 0x736f6d65
  let v1l = k1l ^ 0x6e646f6d ^ 0xee
  let v1h = k1h ^ 0x646f7261
  let v2l = k0l ^ 0x6e657261
  let v2h = k0h ^ 0x6c796765
  let v3l = k1l ^ 0x79746573
  let v3h = k1h ^ 0x74656462
  for (let step = 0; step < words + 2 * lastRounds; step++) {
    let low = 0
    let high = 0
    if (step < words) {
      low = input[2 * step] as number
      high = input[2 * step + 1] as number
    } else if (step === words) {
      v2l ^= 0xee
    } else if (step === words + lastRounds) {
      into[at] = v0h ^ v1h ^ v2h ^ v3h
      into[at + 1] = v0l ^ v1l ^ v2l ^ v3l
      v1l ^= 0xdd
    }
    v3l ^= low
    v3h ^= high

    v0l = (v0l + v1l) | 0
    v0h = (v0h + v1h + (v0l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
    let turned = (v1h << 13) | (v1l >>> 19)
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l
    v1h = turned ^ v0h
    turned = v0h
    v0h = v0l
    v0l = turned
    v2l = (v2l + v3l) | 0
    v2h = (v2h + v3h + (v2l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
    turned = (v3h << 16) | (v3l >>> 16)
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l
    v3h = turned ^ v2h
    v0l = (v0l + v3l) | 0
    v0h = (v0h + v3h + (v0l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
    turned = (v3h << 21) | (v3l >>> 11)
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l
    v3h = turned ^ v0h
    v2l = (v2l + v1l) | 0
    v2h = (v2h + v1h + (v2l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
    turned = (v1h << 17) | (v1l >>> 15)
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l
    v1h = turned ^ v2h
    turned = v2h
    v2h = v2l
    v2l = turned

    v0l ^= low
    v0h ^= high
  }
  into[at + 2] = v0h ^ v1h ^ v2h ^ v3h
  into[at + 3] = v0l ^ v1l ^ v2l ^ v3l
}

/**
 * What is hashed, as halves of words: both lengths, source and id, each text filled up with zeros. Read from here, a text
 * costs half of what its characters cost one by one.
 */
function createInput() {
  let halves = new Int32Array(256)
  let bytes = Buffer.from(halves.buffer)
  return {
    get halves() {
      return halves
    },
    /** Answers the number of words. */
    fill(source: string, id: string): number {
      const idAt = 2 + halvesOf(source)
      const end = idAt + halvesOf(id)
      if (halves.length < end) {
        halves = new Int32Array(2 * end)
        bytes = Buffer.from(halves.buffer)
      }
      halves[idAt - 1] = 0
      halves[idAt - 2] = 0
      halves[end - 1] = 0
      halves[end - 2] = 0
      halves[0] = source.length
      halves[1] = id.length
      bytes.write(source, 8, 'utf16le')
      bytes.write(id, 4 * idAt, 'utf16le')
      return end / 2
    },
  }
}

/** Of each half of the output. */
const lastRounds = 3

/** Halves of words that a text takes: whole words, of four code units each. */
const halvesOf = (text: string): number => 2 * ((text.length + 3) >>> 2)
