import { expect, test } from 'vitest'
import { commandPrefix } from './decide.ts'

// S3-14
test('the ids of the events of a command begin as those of no other stream and command', () => {
  expect(commandPrefix('account-7', 'c1')).toBe('account-7/c1/')
  expect(commandPrefix('a/b', 'c')).not.toBe(commandPrefix('a', 'b/c'))
})
