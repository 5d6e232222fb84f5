import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Application, openApplication } from './application.ts'

// `millrace/testing` under runners that are not ours, in plain JavaScript: as in an application that never saw our source.

let app: Application

beforeAll(async () => {
  app = await openApplication(['jest'])
  cpSync(join(import.meta.dirname, 'jest'), app.path, { recursive: true })
})
afterAll(() => app?.close())

/** The members of jest's report that are looked at. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly { readonly assertionResults: readonly Result[] }[]
}

interface Result {
  readonly title: string
  readonly status: string
  readonly failureMessages: readonly string[]
}

/** Runs one file. That jest ends by itself shows that the kit leaves nothing open. */
async function jest(file: string): Promise<{ code: number | null; report: Report; results: Result[]; text: string }> {
  const outputFile = join(app.path, `${file}.json`)
  const flags = ['--ci', '--json', `--outputFile=${outputFile}`, '--runTestsByPath', file]
  const running = app.start(['node_modules/jest/bin/jest.js', ...flags], {
    NODE_OPTIONS: '--experimental-vm-modules',
  })
  const code = await running.ended
  const text = running.text()
  const report = JSON.parse(readFileSync(outputFile, 'utf8')) as Report
  return { code, report, results: report.testResults.flatMap(({ assertionResults }) => assertionResults), text }
}

test('jest runs the kit: days in milliseconds, a crash, a receiver, a configuration file', async () => {
  const { code, report, results, text } = await jest('kit.test.js')
  expect(results.filter(({ status }) => status !== 'passed')).toEqual([])
  expect(report).toMatchObject({ numPassedTests: 6, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 })
  expect(code, text).toBe(0)
  expect(text).not.toContain('did not exit')
})

test('what is not so fails in jest, by its name', async () => {
  const { code, report, results } = await jest('wrong.test.js')
  expect(code).toBe(1)
  expect(report).toMatchObject({ numPassedTests: 0, numFailedTests: 1 })
  expect(results[0]?.title).toBe('one event is delivered twice, which is not so')
  expect(results[0]?.failureMessages.join('\n')).toMatch(/Expected length: 2\s+Received length: 1/)
})

test('node:test runs the same scenarios', async () => {
  const running = app.start(['--test', '--test-reporter=tap', 'node.test.js'])
  expect(await running.ended, running.text()).toBe(0)
  expect(running.text().split('\n')).toEqual(
    expect.arrayContaining(['# tests 4', '# pass 4', '# fail 0', '# skipped 0']),
  )
})
