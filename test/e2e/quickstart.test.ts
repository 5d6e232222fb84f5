import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { root } from '../repo/files.ts'
import { patient } from './cli-process.ts'
import { processEnv, type Quickstart, startQuickstart } from './quickstart-process.ts'

const run = promisify(execFile)

/** The lines that a start prints below a heading, ready to be pasted: without what is said of them. */
function printed({ text }: Quickstart, title: string): string[] {
  const after = text().split(`\n${title}\n`)[1] ?? ''
  const lines = after.split('\n')
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('  ')),
    )
    .map((line) => line.trim().split(/ {2,}/)[0]!)
}

/** What a shell in the repository answers to them. */
async function pasted(lines: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('sh', ['-c', lines.join('\n')], { cwd: root, env: processEnv() })
  return stdout + stderr
}

async function statuses({ url }: Quickstart): Promise<Record<string, { lag: number; open: number }>> {
  const { subscriptions } = (await (await fetch(`${url}/v1/subscriptions`)).json()) as {
    subscriptions: { name: string; lag: number; open: number }[]
  }
  return Object.fromEntries(subscriptions.map(({ name, ...rest }) => [name, rest]))
}

test('every command that the start prints works when it is pasted into a shell', { timeout: 90_000 }, async () => {
  const quickstart = await startQuickstart()
  const stored = await pasted(printed(quickstart, 'Publish an event:'))
  expect(stored).toContain('"status":"stored","sequence":1')
  expect(await pasted(printed(quickstart, 'Or drop a file:'))).toBe('')
  await quickstart.prints(/receiver: order\.placed 1 verified[\s\S]*receiver: order\.shipped 2 verified/)

  const [watch] = printed(quickstart, 'Watch them arrive:')
  // It stays connected, so it is ended after what it shows at once.
  const shown = await pasted([`${watch} -s --max-time 2 || true`])
  expect(shown).toMatch(/event: order\.placed\ndata: \{.*"id":"1"[\s\S]*event: order\.shipped\ndata: \{.*"id":"2"/)

  const batch = await pasted(printed(quickstart, 'Fetch a batch, and confirm it:'))
  expect(batch).toMatch(/"sequences":\[1,2\]/)
  expect(batch).toContain('{"confirmed":2}')

  await vi.waitFor(async () => expect((await statuses(quickstart))['receipts']).toMatchObject({ open: 0 }), patient)
  const questions = printed(quickstart, 'Look at it:')
  const answers = await Promise.all(questions.map((question) => pasted([question])))
  const answerTo = (name: string): string => answers[questions.findIndex((question) => question.includes(name))] ?? ''
  expect(answerTo('events')).toMatch(/2\b.*order\.shipped/)
  for (const name of ['screen', 'work', 'receipts', 'crm'])
    expect(answerTo('explain 1')).toContain(`${name}: delivered`)
  expect(answerTo('subscriptions')).toMatch(/live\b.*sse/)
  expect(answerTo('dead list')).toContain('no dead letters')
  expect(answerTo('audit')).toContain('The books balance.')
  expect(await quickstart.end('SIGINT')).toBe(0)
})

// S0-17
test('kill -9 while events come in loses none of them, for no subscription', { timeout: 90_000 }, async () => {
  const quickstart = await startQuickstart()
  const acknowledged = new Set<string>()
  const publish = async (from: number): Promise<void> => {
    for (let id = from; id < from + 400; id += 10) {
      const events = Array.from({ length: 10 }, (_, i) => ({
        source: 'api',
        id: String(id + i),
        type: 'order.shipped',
        subject: `order-${i}`,
      }))
      const answer = await quickstart.publish(JSON.stringify(events))
      if (answer.ok) for (const event of events) acknowledged.add(event.id)
    }
  }
  const publishing = publish(0).catch(() => undefined)
  await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(50), { ...patient, interval: 1 })
  expect(await quickstart.end('SIGKILL')).toBe(null)
  await publishing
  const before = quickstart.text()

  await quickstart.start()
  const received = (): Set<string> =>
    new Set(
      [...`${before}${quickstart.text()}`.matchAll(/receiver: order\.shipped (\d+) verified/g)].map(
        (match) => match[1]!,
      ),
    )
  await vi.waitFor(() => expect([...acknowledged].filter((id) => !received().has(id))).toEqual([]), patient)
  await vi.waitFor(async () => {
    const states = await statuses(quickstart)
    expect(states).toMatchObject({ screen: { lag: 0, open: 0 }, crm: { lag: 0, open: 0 } })
    expect(states['work']!.open).toBeGreaterThanOrEqual(acknowledged.size)
  }, patient)
  const audit = printed(quickstart, 'Look at it:').find((line) => line.includes(' audit '))
  expect(await pasted([audit!])).toContain('The books balance.')
  expect(await quickstart.end('SIGINT')).toBe(0)
})
