import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { createFolder, type Folder, patient, type Running } from '../e2e/cli-process.ts'

let folder: Folder
afterEach(() => folder.remove())

const config = `
store: { type: sqlite, path: ./.millrace/events.db }
server: { host: 127.0.0.1, port: PORT }
sources:
  logs: { type: tail, path: ./logs/*.log, every: 100ms }
  files: { type: watch, path: ./files, settle: 20ms }
  calm: { type: watch, path: ./calm, settle: 20ms, debounce: [{ window: 300ms }] }
`

interface Stored {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly data: { readonly line?: string }
}

async function storedEvents(): Promise<Stored[]> {
  const all: Stored[] = []
  for (let after: number | undefined = 0; after !== undefined; ) {
    const answer = await fetch(`http://127.0.0.1:${folder.port}/v1/events?after=${after}&limit=1000`)
    const page = (await answer.json()) as { events: Stored[]; next?: number }
    all.push(...page.events)
    after = page.next
  }
  return all
}

async function kill(running: Running): Promise<void> {
  running.child.kill('SIGKILL')
  await running.ended
}

// S0-13 S0-17 S0-109 S0-110
test('files and lines that come while the process is killed again and again are each told once', {
  timeout: 120_000,
}, async () => {
  folder = await createFolder(config)
  const at = (name: string) => join(folder.path, name)
  for (const name of ['logs', 'files', 'calm']) mkdirSync(at(name))
  let running = await folder.start(['run'], 'Ctrl-C stops.')
  // The first look is over, so all that comes is new.
  await vi.waitFor(async () => {
    writeFileSync(at(`files/probe-${Date.now()}`), '')
    expect((await storedEvents()).some(({ subject }) => subject.startsWith('probe-'))).toBe(true)
  }, patient)
  await pause(500)
  let lines = 0
  let files = 0
  for (let life = 0; life < 4; life++) {
    const until = Date.now() + 300 + life * 150
    while (Date.now() < until) {
      appendFileSync(at('logs/app.log'), `line ${lines++}\n`)
      writeFileSync(at(`files/f${files++}`), '')
      writeFileSync(at('calm/same'), `${files}`)
      await pause(2)
    }
    await kill(running)
    // Also while nobody looks.
    appendFileSync(at('logs/app.log'), `line ${lines++}\n`)
    renameSync(at('logs/app.log'), at(`logs/app.log.${life}`))
    writeFileSync(at(`files/f${files++}`), '')
    rmSync(at('files/f0'), { force: true })
    running = await folder.start(['run'], 'Ctrl-C stops.')
  }
  await vi.waitFor(async () => {
    const stored = await storedEvents()
    const of = (source: string, type: string) => stored.filter((each) => each.source === source && each.type === type)
    expect(of('logs', 'tail.line').length).toBe(lines)
    const created = of('files', 'file.created').filter(({ subject }) => subject.startsWith('f'))
    expect(created.length).toBe(files)
    expect(new Set(created.map(({ subject }) => subject)).size).toBe(files)
    expect(new Set(of('logs', 'tail.line').map(({ data }) => data.line)).size).toBe(lines)
    expect(of('files', 'file.removed').map(({ subject }) => subject)).toEqual(['f0'])
    // One group a life at most, for its creation and its changes.
    expect(of('calm', 'file.created').length).toBe(1)
    expect(of('calm', 'file.changed').length).toBeGreaterThan(0)
    expect(of('calm', 'file.changed').length).toBeLessThan(12)
  }, patient)
  await kill(running)
})
