import { expect, test } from 'vitest'
import { moduleError } from './module-error.ts'

function failed(message: string, stack: string): SyntaxError {
  return Object.assign(new SyntaxError(message), { stack })
}

test('text that is no TypeScript is named with its place', () => {
  const stack = "/tmp/m.ts:3\nconst b = 2\n  ^^^\n\nSyntaxError: Expected ',', got 'const'\n    at parse (node:x)"
  expect(moduleError(failed("Expected ',', got 'const'", stack))).toBe("Expected ',', got 'const' (/tmp/m.ts:3:3)")
})

test('where no place is known, the message is all', () => {
  expect(moduleError(failed('Unexpected token', 'SyntaxError: Unexpected token\n    at x (node:y:1:2)'))).toBe(
    'Unexpected token',
  )
  expect(moduleError(new Error('no luck'))).toBe('no luck')
})
