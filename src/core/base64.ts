const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const unknownDigit = 255

const digits = new Uint8Array(128).fill(unknownDigit)
for (let digit = 0; digit < alphabet.length; digit++) digits[alphabet.charCodeAt(digit)] = digit

/** Bytes as base64 text (RFC 4648, padded). */
export function encodeBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let at = 0; at < bytes.length; at += 3) {
    const [first, second, third] = [bytes[at]!, bytes[at + 1], bytes[at + 2]]
    const group = (first << 16) | ((second ?? 0) << 8) | (third ?? 0)
    parts.push(
      alphabet[group >> 18]! + alphabet[(group >> 12) & 63]!,
      second === undefined ? '=' : alphabet[(group >> 6) & 63]!,
      third === undefined ? '=' : alphabet[group & 63]!,
    )
  }
  return parts.join('')
}

/** The bytes of base64 text, with or without padding; undefined when the text is anything else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const length = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  if (length % 4 === 1 || (length !== text.length && text.length % 4 !== 0)) return undefined
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  let written = 0
  let bits = 0
  let held = 0
  for (let at = 0; at < length; at++) {
    const digit = digits[text.charCodeAt(at)] ?? unknownDigit
    if (digit === unknownDigit) return undefined
    held = ((held << 6) | digit) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[written++] = held >> bits
    }
  }
  return bytes
}
