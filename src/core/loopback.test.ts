import { expect, test } from 'vitest'
import { isLoopbackHost } from './loopback.ts'

test.each([
  ['localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['127.0.0.1', true],
  ['127.9.8.7', true],
  ['0.0.0.0', false],
  ['127.0.0.1.example.com', false],
  ['10.0.0.1', false],
])('%s is loopback: %j', (host, isLoopback) => {
  expect(isLoopbackHost(host)).toBe(isLoopback)
})
