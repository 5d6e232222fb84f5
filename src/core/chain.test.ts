import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Chain, type ChainMember } from './chain.ts'

class Member implements ChainMember<Member> {
  before: Member | undefined
  after: Member | undefined
  isChained = false
  readonly name: number

  constructor(name: number) {
    this.name = name
  }
}

test('a chain is an ordered set, whatever is added and deleted', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ name: fc.nat({ max: 7 }), isAdd: fc.boolean() })), (changes) => {
      const members = Array.from({ length: 8 }, (_, name) => new Member(name))
      const chain = new Chain<Member>()
      const model = new Set<Member>()
      for (const { name, isAdd } of changes) {
        const member = members[name]!
        if (!isAdd) expect(chain.delete(member)).toBe(model.delete(member))
        else if (!member.isChained) {
          chain.add(member)
          model.add(member)
        }
        expect([...chain]).toEqual([...model])
        expect(chain.size).toBe(model.size)
      }
    }),
  )
})

test('a visit takes those that are there when it begins, but for those deleted before their turn', () => {
  const chain = new Chain<Member>()
  const members = Array.from({ length: 5 }, (_, name) => new Member(name))
  for (const member of members.slice(0, 4)) chain.add(member)
  const seen: number[] = []
  for (const member of chain) {
    seen.push(member.name)
    chain.delete(member)
    if (member.name === 0) chain.delete(members[1]!)
    if (member.name === 2) chain.add(members[4]!)
  }
  expect(seen).toEqual([0, 2, 3])
  expect([...chain]).toEqual([members[4]])
})

test('what has left the chain keeps no other member alive', () => {
  const chain = new Chain<Member>()
  const [first, second, third] = [new Member(1), new Member(2), new Member(3)]
  for (const member of [first, second, third]) chain.add(member)
  chain.delete(second)
  expect(second.before).toBeUndefined()
  expect(second.after).toBeUndefined()
})
