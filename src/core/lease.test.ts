import { expect, test } from 'vitest'
import { batchOf, formatReceipt, parseBatch, parseReceipt } from './lease.ts'

test('a receipt names its batch and carries a secret; anything else is none', () => {
  // G23 SEC-88
  const receipt = formatReceipt('3-17', 'abcdefghijklmnop_-1')
  expect(parseReceipt(receipt)).toEqual({ batch: '3-17', secret: 'abcdefghijklmnop_-1' })
  const others = [
    '',
    '3-17',
    '3-17.',
    '3-17.short',
    '-1.abcdefghijklmnop',
    `3-17.${'x'.repeat(129)}`,
    `${receipt} `,
    '3-17.ab\u0000cdefghijklmnop',
  ]
  for (const text of others) expect(parseReceipt(text)).toBeUndefined()
})

test('a batch is named by its owner’s epoch and a number', () => {
  expect(parseBatch('3-17')).toEqual({ epoch: 3, number: 17 })
  for (const text of ['', '3', '3-', '3-17-1', '3-x', `1-${'9'.repeat(16)}`]) expect(parseBatch(text)).toBeUndefined()
})

test('a stored batch whose name says nothing is older than all others', () => {
  const row = {
    kind: 'offered',
    state: 'stale',
    proof: 'p',
    deadline: 1,
    sequences: [],
    counts: [],
    isConfirmed: false,
  } as const
  expect(batchOf({ ...row, batch: 'x' })).toMatchObject({ id: 'x', epoch: 0, number: 0 })
})
