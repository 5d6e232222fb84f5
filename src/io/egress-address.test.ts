import { describe, expect, test } from 'vitest'
import { isNeverReached, isPublic, parseAddress } from './egress-address.ts'

const publicly = (text: string): boolean | undefined => {
  const address = parseAddress(text)
  return address === undefined ? undefined : isPublic(address)
}

describe('an address is public', () => {
  test.each(['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.15.0.1', '172.32.0.1', '2606:4700::1111'])(
    '%s',
    (text) => expect(publicly(text)).toBe(true),
  )
  test('also behind NAT64 and as IPv4 in IPv6', () => {
    expect(publicly('64:ff9b::8.8.8.8')).toBe(true)
    expect(publicly('::ffff:8.8.8.8')).toBe(true)
  })
})

// SEC-3, SEC-4
test.each([
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.255'],
  ...['169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.0.170', '192.0.2.1'],
  ...['192.88.99.1', '192.168.0.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
  ...['239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16', '100.100.100.200'],
])('%s is not public, nor is any IPv6 address that carries it', (text) => {
  expect(publicly(text)).toBe(false)
  const bytes = text.split('.').map(Number)
  const hex = (parts: readonly number[]): string =>
    `${((parts[0]! << 8) | parts[1]!).toString(16)}:${((parts[2]! << 8) | parts[3]!).toString(16)}`
  // SEC-5
  const carriers = [
    `::ffff:${text}`,
    `::ffff:0:${hex(bytes)}`,
    `::${hex(bytes)}`,
    `64:ff9b::${hex(bytes)}`,
    `64:ff9b:1::${hex(bytes)}`,
    `2002:${hex(bytes)}::1`,
    `2001:0:102:304::${hex(bytes.map((byte) => byte ^ 0xff))}`,
    `2606:4700::5efe:${hex(bytes)}`,
    `2606:4700::200:5efe:${hex(bytes)}`,
  ]
  for (const carrier of carriers) expect(publicly(carrier), carrier).toBe(false)
})

// SEC-5
test.each([
  ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1', 'fec0::1', 'fd00:ec2::254', 'ff02::1', '100::1'],
  ...['2001:db8::1', '3fff::1', '2001:2::1', '2001:10::1', '2001:20::1', '5f00::1', '4000::1', 'e000::1', '::1.2.3.4'],
])('%s is not public', (text) => {
  expect(publicly(text)).toBe(false)
})

test.each(['', 'localhost', '127.1', '0x7f.1', '017700000001', '2130706433', '1.2.3.4.5', '::g'])(
  '%s is no address as sockets and look-ups write them',
  (text) => {
    expect(parseAddress(text)).toBeUndefined()
  },
)

// SEC-14
test.each([
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  'fe80::1',
  '0.0.0.0',
])('%s is opened by no rule', (text) => {
  expect(isNeverReached(parseAddress(text)!)).toBe(true)
})

test.each(['127.0.0.1', '::1', '10.0.0.1', 'fd12::1', '192.168.1.1'])('%s can be opened by a rule', (text) => {
  expect(isNeverReached(parseAddress(text)!)).toBe(false)
})
