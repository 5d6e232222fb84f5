import { describe, expect, test } from 'vitest'
import { newestVersion, upcastHoles, versionOf, withVersion } from './schema-version.ts'

const record = { source: 'shop', id: '1', type: 'order.placed' }

describe('the version of an event', () => {
  // S3-24
  test('is what its meta says, as a number or digits', () => {
    expect(versionOf({ meta: '{"schemaversion":3}' })).toBe(3)
    expect(versionOf({ meta: '{"schemaversion":"12"}' })).toBe(12)
  })

  test('is unknown when meta says none, or nothing that is a version', () => {
    expect(versionOf({})).toBeUndefined()
    expect(versionOf({ meta: '{"tenant":"a"}' })).toBeUndefined()
    for (const value of ['0', '-1', '1.5', '"v2"', '"01"', 'null', '{}', '1e30'])
      expect(versionOf({ meta: `{"schemaversion":${value}}` })).toBeUndefined()
    expect(versionOf({ meta: '{"note":"schemaversion"}' })).toBeUndefined()
  })

  test('is written beside other meta and replaces an older one', () => {
    expect(withVersion(record, 2).meta).toBe('{"schemaversion":2}')
    expect(withVersion({ ...record, meta: '{"schemaversion":1,"tenant":"a"}' }, 2).meta).toBe(
      '{"tenant":"a","schemaversion":2}',
    )
  })
})

describe('the chain of upcasters', () => {
  // S3-24
  test('has a hole wherever a version between the oldest and the newest leads nowhere', () => {
    expect(upcastHoles([1, 4], [1, 3])).toEqual([2])
    expect(upcastHoles([1, 3], [2])).toEqual([1])
    expect(upcastHoles([5], [1])).toEqual([2, 3, 4])
  })

  test('has none when it is whole, or when there are no upcasters at all', () => {
    expect(upcastHoles([3], [1, 2])).toEqual([])
    expect(upcastHoles([], [1, 2])).toEqual([])
    expect(upcastHoles([1, 2], [])).toEqual([])
  })

  test('leads to the newest version', () => {
    expect(newestVersion([], [])).toBe(1)
    expect(newestVersion([2], [])).toBe(2)
    expect(newestVersion([2], [1, 2])).toBe(3)
  })
})
