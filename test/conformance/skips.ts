import { afterAll } from 'vitest'

/** Collects why cases were skipped and prints it once at the end of the file: a skip must not look like a pass. */
export function createSkips(): { add(what: string, promise: string, reason: string): void } {
  const reasons = new Map<string, string[]>()
  afterAll(() => {
    for (const [reason, promises] of reasons) {
      process.stdout.write(`skipped, ${reason}:\n${promises.map((promise) => `  - ${promise}\n`).join('')}`)
    }
  })
  return {
    add(what, promise, reason) {
      const key = `${what}: ${reason}`
      reasons.set(key, [...(reasons.get(key) ?? []), promise])
    },
  }
}
