import { describe, expect, test } from 'vitest'
import { isWithin, neverReached, plainHost } from './egress.ts'

const v4 = (text: string): number[] => text.split('.').map(Number)

describe('a range of addresses', () => {
  test.each([
    ['10.0.0.0', 8, '10.255.1.2', true],
    ['10.0.0.0', 8, '11.0.0.0', false],
    ['172.16.0.0', 12, '172.31.255.255', true],
    ['172.16.0.0', 12, '172.32.0.0', false],
    ['1.2.3.4', 32, '1.2.3.4', true],
    ['1.2.3.4', 32, '1.2.3.5', false],
    ['0.0.0.0', 0, '255.255.255.255', true],
  ] as const)('%s/%i and %s: %s', (base, prefix, address, expected) => {
    expect(isWithin({ bytes: v4(base), prefix }, v4(address))).toBe(expected)
  })

  test('never holds an address of the other family', () => {
    expect(
      isWithin(
        { bytes: v4('0.0.0.0'), prefix: 0 },
        Array.from({ length: 16 }, () => 0),
      ),
    ).toBe(false)
  })
})

test('every range that no rule opens is well formed', () => {
  for (const { bytes, prefix } of neverReached) {
    expect([4, 16]).toContain(bytes.length)
    expect(prefix).toBeLessThanOrEqual(bytes.length * 8)
  }
})

test('hosts are compared without case, brackets and the dot at the end', () => {
  expect(['CRM.internal.', '[::1]', 'crm.internal'].map(plainHost)).toEqual(['crm.internal', '::1', 'crm.internal'])
})
