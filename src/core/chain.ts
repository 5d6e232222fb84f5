/** What a chain holds: it carries its own links. */
export interface ChainMember<Member> {
  before: Member | undefined
  after: Member | undefined
  isChained: boolean
}

/**
 * An ordered set whose members carry the links. For members that come and go by the hundred thousand a `Set` is the wrong
 * thing: it copies its table every so often, and a table left behind keeps alive what it held, and the next table, until
 * the old generation is collected. Two thirds of the garbage collection of a webhook sender came from that.
 */
export class Chain<Member extends ChainMember<Member>> implements Iterable<Member> {
  #first: Member | undefined
  #last: Member | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Appends a member that is in no chain. */
  add(member: Member): void {
    member.isChained = true
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.after = member
    this.#last = member
    this.#size += 1
  }

  /** True when it was in the chain. It keeps no link, so that one that has grown old keeps nothing else alive. */
  delete(member: Member): boolean {
    if (!member.isChained) return false
    const { before, after } = member
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    member.before = undefined
    member.after = undefined
    member.isChained = false
    this.#size -= 1
    return true
  }

  /** Those that are here now, in the order of their coming, but for those that are deleted before their turn. */
  *[Symbol.iterator](): IterableIterator<Member> {
    const members: Member[] = []
    for (let member = this.#first; member !== undefined; member = member.after) members.push(member)
    for (const member of members) if (member.isChained) yield member
  }
}
