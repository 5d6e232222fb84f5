// C0, DEL, C1, line separators, and the characters that reorder or hide text on a terminal (bidi, zero width, tags).
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu

/** Text that cannot break a line, colour a terminal or reorder what is shown: such characters become `\uXXXX`. */
export function escapeControl(text: string): string {
  return text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same text without such characters. */
export function removeControl(text: string): string {
  return text.replace(unsafe, '')
}

/** The longest beginning of `text` that takes at most `bytes` in UTF-8, never cutting a character. */
export function cutToBytes(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text
  const all = Buffer.from(text, 'utf8')
  if (all.length <= bytes) return text
  let end = bytes
  while (end > 0 && (all[end]! & 0xc0) === 0x80) end--
  return all.toString('utf8', 0, end)
}
