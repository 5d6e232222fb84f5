import ipaddr from 'ipaddr.js'
import { type AddressBytes, isWithin, neverReached } from '../core/egress.ts'

/** An address as the rules see it. */
export interface Address {
  /** Four bytes also where IPv4 was written inside IPv6 (`::ffff:127.0.0.1`). */
  readonly bytes: AddressBytes
  /** The IPv4 address that an IPv6 address carries for a translator or tunnel; it is judged too. */
  readonly inner: AddressBytes | undefined
  /** The registry's name for its block; `unicast` is none in particular. */
  readonly block: string
}

/** Reads an address; undefined when the text is none. */
export function parseAddress(text: string): Address | undefined {
  if (!ipaddr.IPv6.isValid(text) && !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined
  // `process` unwraps IPv4-mapped addresses.
  const address = ipaddr.process(withoutDots(text))
  const bytes = address.toByteArray()
  return { bytes, inner: bytes.length === 4 ? undefined : innerOf(bytes), block: address.range() }
}

/** The package takes `::1.2.3.4` for `::ffff:1.2.3.4`, which is another address. */
function withoutDots(text: string): string {
  return text.replace(/(?<=:)(\d+)\.(\d+)\.(\d+)\.(\d+)(?=$|%)/, (_, ...parts) => {
    const [a, b, c, d] = parts.map(Number) as [number, number, number, number]
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
}

const six = (text: string): { readonly bytes: AddressBytes; readonly prefix: number } => {
  const [address, prefix] = ipaddr.IPv6.parseCIDR(text)
  return { bytes: address.toByteArray(), prefix }
}
/** Blocks whose last four bytes are an IPv4 address: compatible, translated, NAT64 of both kinds. */
const tails = ['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48'].map(six)
const sixToFour = six('2002::/16')
const teredo = six('2001::/32')
const nat64 = six('64:ff9b::/96')
const globalUnicast = six('2000::/3')

function innerOf(bytes: AddressBytes): AddressBytes | undefined {
  const tail = bytes.slice(12)
  // `::` and `::1` are addresses of their own.
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15]! <= 1) return undefined
  if (tails.some((block) => isWithin(block, bytes))) return tail
  if (isWithin(sixToFour, bytes)) return bytes.slice(2, 6)
  if (isWithin(teredo, bytes)) return tail.map((byte) => byte ^ 0xff)
  const isIsatap = (bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe
  return isIsatap ? tail : undefined
}

/** True for addresses that no rule opens, also when they are only carried. */
export function isNeverReached({ bytes, inner }: Address): boolean {
  return neverReached.some((range) => isWithin(range, bytes) || (inner !== undefined && isWithin(range, inner)))
}

/** True for addresses of the public internet: outside every special block of the registries, and so what they carry. */
export function isPublic(address: Address): boolean {
  if (isNeverReached(address)) return false
  const { bytes, inner, block } = address
  if (bytes.length === 4) return block === 'unicast'
  const isInnerPublic = inner === undefined || ipaddr.fromByteArray([...inner]).range() === 'unicast'
  // A network with IPv6 alone reaches IPv4 through NAT64.
  if (isWithin(nat64, bytes)) return isInnerPublic
  return isWithin(globalUnicast, bytes) && block === 'unicast' && isInnerPublic
}
