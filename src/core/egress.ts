/** An address of a network, byte by byte: 4 for IPv4, 16 for IPv6. */
export type AddressBytes = readonly number[]

/** Every address that begins with the same bits. */
export interface EgressRange {
  readonly kind: 'range'
  readonly bytes: AddressBytes
  /** How many leading bits count. */
  readonly prefix: number
  /** As it was written. */
  readonly text: string
}

/** One host, by name or address, at one port. */
export interface EgressEndpoint {
  readonly kind: 'endpoint'
  /** Lower case, without brackets and without a dot at the end. */
  readonly host: string
  readonly port: number
  /** As it was written. */
  readonly text: string
}

/** An exception from the rule that outbound HTTP reaches public addresses only, over https. */
export type EgressRule = EgressRange | EgressEndpoint

/** Where this process itself listens. */
export interface ListeningAddress {
  readonly host: string
  readonly port: number
}

/** A forward proxy that judges addresses itself, as Smokescreen does. */
export interface EgressProxy {
  readonly host: string
  readonly port: number
}

/** What outbound HTTP may reach beside public addresses. */
export interface EgressRules {
  readonly allow: readonly EgressRule[]
  /** Where every connection goes through; absent: straight. */
  readonly proxy?: EgressProxy | undefined
  /** Asked before each connection: these are never reached, so that no pipeline feeds itself. */
  readonly own?: (() => readonly ListeningAddress[]) | undefined
}

/** No exceptions: public addresses only. What an absent setting means. */
export const publicOnly: EgressRules = { allow: [] }

/** Metadata services of clouds, this-network, link-local, multicast and reserved addresses: no rule opens them. */
export const neverReached: readonly Pick<EgressRange, 'bytes' | 'prefix'>[] = [
  { bytes: [0, 0, 0, 0], prefix: 8 },
  { bytes: [100, 100, 100, 200], prefix: 32 },
  { bytes: [168, 63, 129, 16], prefix: 32 },
  { bytes: [169, 254, 0, 0], prefix: 16 },
  { bytes: [224, 0, 0, 0], prefix: 4 },
  { bytes: [240, 0, 0, 0], prefix: 4 },
  { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 128 },
  { bytes: [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54], prefix: 128 },
  { bytes: [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 10 },
  { bytes: [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 8 },
]

/** True when the address lies in the range. Addresses of the other family never do. */
export function isWithin({ bytes, prefix }: Pick<EgressRange, 'bytes' | 'prefix'>, address: AddressBytes): boolean {
  if (bytes.length !== address.length) return false
  const whole = prefix >> 3
  for (let index = 0; index < whole; index++) if (bytes[index] !== address[index]) return false
  const rest = prefix & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return (bytes[whole]! & mask) === (address[whole]! & mask)
}

/** The host of a URL as rules compare it: lower case, without brackets and without a dot at the end. */
export function plainHost(hostname: string): string {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return (bare.endsWith('.') ? bare.slice(0, -1) : bare).toLowerCase()
}
