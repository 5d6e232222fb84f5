import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { depthOf, derivedId, derivedSource, withDepth } from './derived.ts'

const { digest } = nodePlatform
const record = (source: string, meta?: object) => ({
  source,
  id: '1',
  type: 'a',
  ...(meta && { meta: JSON.stringify(meta) }),
})

test('an event from outside is at depth 0, a derived one at least at 1, and deeper ones say so in meta', () => {
  const own = derivedSource('orders')
  expect(depthOf(record('shop'))).toBe(0)
  expect(depthOf(record(own))).toBe(1)
  expect(depthOf(record(own, { millracedepth: 7 }))).toBe(7)
  expect(depthOf(record('shop', { millracedepth: 3 }))).toBe(3)
  for (const wrong of [-1, 0, 1.5, '9', null, [4]]) expect(depthOf(record(own, { millracedepth: wrong }))).toBe(1)
})

test('the depth is what it is set to, whatever the record says, and is written only where it is not said already', () => {
  const own = derivedSource('orders')
  const first = record(own)
  expect(withDepth(first, 1)).toBe(first)
  expect(withDepth(first, 2).meta).toBe('{"millracedepth":2}')
  expect(withDepth(record(own, { a: 1, millracedepth: 9 }), 3).meta).toBe('{"a":1,"millracedepth":3}')
  expect(depthOf(withDepth(record(own, { millracedepth: 9 }), 1))).toBe(1)
  expect(withDepth(record(own, { other: 'millracedepth' }), 1).meta).toBe('{"other":"millracedepth"}')
})

test('the id of a derived event is readable, and one that would be too long is shortened the same way each time', () => {
  expect(derivedId(['42', 'split', '0'], digest)).toBe('42/split/0')
  const long = 'x'.repeat(251)
  expect(derivedId([long, 'a', '0'], digest)).toBe(`${long}/a/0`)
  const [one, same, other] = [long, long, `${long}y`].map((id) => derivedId([id, 'stage', '0'], digest))
  expect(one).toHaveLength(255)
  expect(one).toBe(same)
  expect(one).not.toBe(other)
  expect(one!.startsWith('x'.repeat(211))).toBe(true)
  expect(derivedId([one!, 'stage', '0'], digest)).toHaveLength(255)
  expect(derivedId(['😀'.repeat(127), 'stage', '0'], digest).isWellFormed()).toBe(true)
})
