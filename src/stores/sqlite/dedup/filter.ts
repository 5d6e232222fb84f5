/**
 * Blocked Bloom filter: all six bits of a key lie in one 64-byte block, so a lookup is one cache miss. At 16 bits per key about
 * one in 600 absent keys passes. The words used here are not those by which a run is sorted.
 */
export const bitsPerKey = 16

export function createFilter(keys: number): Uint32Array {
  return new Uint32Array(Math.max(1, Math.ceil((keys * bitsPerKey) / 512)) * 16)
}

export function addToFilter(filter: Uint32Array, b: number, c: number, d: number): void {
  const base = Math.floor((b * (filter.length >>> 4)) / 0x100000000) << 4
  for (let shift = 0; shift < 27; shift += 9) {
    const x = c >>> shift
    const y = d >>> shift
    const i = base + ((x >>> 5) & 15)
    const j = base + ((y >>> 5) & 15)
    filter[i] = (filter[i] as number) | (1 << (x & 31))
    filter[j] = (filter[j] as number) | (1 << (y & 31))
  }
}

/** False when the key whose hash stands at an offset is surely not there. */
export function mayContain(filter: Uint32Array, hashes: Uint32Array, at: number): boolean {
  const base = Math.floor(((hashes[at + 1] as number) * (filter.length >>> 4)) / 0x100000000) << 4
  const c = hashes[at + 2] as number
  const d = hashes[at + 3] as number
  for (let shift = 0; shift < 27; shift += 9) {
    const x = c >>> shift
    const y = d >>> shift
    if (((filter[base + ((x >>> 5) & 15)] as number) & (1 << (x & 31))) === 0) return false
    if (((filter[base + ((y >>> 5) & 15)] as number) & (1 << (y & 31))) === 0) return false
  }
  return true
}
