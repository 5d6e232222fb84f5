const table = Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value >>> 0
})

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = table[(value ^ byte) & 0xff]! ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}

const sumLength = 8
export const newline = 10

/** A line of the buffer: the checksum of a text in hex, a space, the text. The text holds no line break. */
export function lineOf(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${sumOf(bytes)} `), bytes, Buffer.from('\n')])
}

/** The text of a line without its line break; undefined when it is not what was written. */
export function textOf(line: Buffer): string | undefined {
  const text = line.subarray(sumLength + 1)
  const isWhole = line.length > sumLength && line.toString('latin1', 0, sumLength + 1) === `${sumOf(text)} `
  return isWhole ? text.toString('utf8') : undefined
}

function sumOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(sumLength, '0')
}
