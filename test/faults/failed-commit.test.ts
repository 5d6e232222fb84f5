import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

type Answer = readonly [id: number, status: string, sequence?: number]

interface Report {
  readonly before: readonly Answer[]
  readonly during: readonly Answer[]
  readonly ready: boolean
  readonly again: readonly Answer[]
  readonly there: readonly (readonly [id: number, sequence: number])[]
  readonly head: number
  readonly delivered: readonly number[]
  readonly audit: boolean
  readonly verify: readonly string[]
}

/** Without prlimit (util-linux) nothing here can make a write fail as a broken disk does. */
const canLimit = spawnSync('prlimit', ['--version']).status === 0

test.skipIf(!canLimit)(
  'a COMMIT that fails with an I/O error is answered as unknown, and the same events are taken again without a phantom',
  async () => {
    // G3 G6 G1
    const process = run('limited-process.ts', join(temporaryFolder(), 'events.db'))
    const report = JSON.parse((await process.says('report ')).slice('report '.length)) as Report
    expect((await process.ended).code).toBe(0)

    expect(new Set(report.before.map(([, status]) => status))).toEqual(new Set(['stored']))
    const failed = report.during.filter(([, status]) => status !== 'stored')
    expect(failed.length).toBeGreaterThan(8)
    expect(new Set(failed.map(([, status]) => status))).toEqual(new Set(['store-indeterminate']))
    expect(report.ready).toBe(false)

    // Whoever got an answer keeps it; whoever did not is stored now, or was in fact and is told so.
    const known = new Map(
      [...report.before, ...report.during].map(([id, status, sequence]) => [id, { status, sequence }]),
    )
    for (const [id, status, sequence] of report.again) {
      expect(['stored', 'duplicate']).toContain(status)
      if (known.get(id)?.status === 'stored') expect([status, sequence]).toEqual(['duplicate', known.get(id)?.sequence])
    }
    expect(report.there.map(([id]) => id).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    )
    expect(new Map(report.again.map(([id, , sequence]) => [id, sequence]))).toEqual(new Map(report.there))
    expect(report.head).toBe(60)
    expect(report.delivered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
    expect([report.audit, report.verify]).toEqual([true, []])
  },
)
