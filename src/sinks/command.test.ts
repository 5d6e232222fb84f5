import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { ownerVariable } from '../io/process/hunt.ts'
import { openLauncher } from '../io/process/launch.ts'
import { listProcessIds, readProcess, variableOf } from '../io/process/table.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Sink } from '../plugin/sink.ts'
import { createPluginContext, deliveryOf } from '../testing/index.ts'
import { command } from './command.ts'

const onLinux = process.platform === 'linux'

/** Patient enough for a busy machine. */
const patient = { timeout: 15_000, interval: 10 }

let folder = ''
const made: Sink[] = []
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-command-')))
})
afterEach(async () => {
  for (const sink of made.splice(0)) await sink.close?.()
  rmSync(folder, { recursive: true, force: true })
})

const { declaration } = command
const problemsOf = (options: unknown): string[] =>
  declaration.options.safeParse(options).error?.issues.map(({ message }) => message) ?? []

function sinkOf(options: object): Sink {
  const sink = declaration.create(declaration.options.parse({ grace: '100ms', ...options }), {
    directory: folder,
    platform: nodePlatform,
  })
  made.push(sink)
  return sink
}

const contextOf = (signal = new AbortController().signal) => ({ ...createPluginContext({ name: 'crm' }), signal })

async function outcomeOf(options: object, record: Parameters<typeof deliveryOf>[1] = {}): Promise<Outcome> {
  const outcomes = await sinkOf(options).deliver([deliveryOf(7, record, 2)], contextOf())
  return outcomes![0]!
}
const stdoutOf = async (options: object, record?: Parameters<typeof deliveryOf>[1]) => {
  const outcome = await outcomeOf(options, record)
  expect(outcome, outcome.reason).toMatchObject({ outcome: 'ack' })
  return String(outcome.detail?.['stdout'] ?? '')
}

describe('the configuration of a command', () => {
  // S0-97, SEC-59
  it('is a list; text is refused, because it would need a shell, and the list to write is shown', () => {
    expect(problemsOf({ command: 'sort -u' })[0]).toMatch(/no shell.*\["sort", "-u"\]/)
    expect(problemsOf({ command: [] })[0]).toMatch(/empty/)
    expect(problemsOf({ command: ['sort', 5] })).toHaveLength(1)
    expect(problemsOf({ command: ['sort', '-u'] })).toEqual([])
  })

  // SEC-60
  it('takes placeholders it knows, in arguments of one event', () => {
    expect(problemsOf({ command: ['a', '{id}', 'x-{data.a.0.b}', '{{print}}', '{print $1}', '{"a":1}'] })).toEqual([])
    expect(problemsOf({ command: ['a', '{nmae}'] })[0]).toMatch(/no placeholder.*\{subject\}/)
    expect(problemsOf({ command: ['{id}'] })[0]).toMatch(/program/)
    expect(problemsOf({ command: ['a', '{id}'], batch: { size: 10 } })[0]).toMatch(/standard input/)
  })

  // SEC-60
  it.each([
    [['sh', '-c', 'echo {subject}']],
    [['/bin/bash', '-ec', 'echo {subject}']],
    [['env', 'bash', '-lc', '{subject}']],
    [['python3', '-c', 'print("{id}")']],
    [['node', '--eval', '{id}']],
  ])('never lets an event become code: %j', (list) => {
    expect(problemsOf({ command: list })[0]).toMatch(/must not become code/)
  })

  // SEC-61
  it('declares variables, but none of Millrace, and none that decides what runs from an event', () => {
    expect(problemsOf({ command: ['a'], env: { A: '1', ORDER: '{subject}', NODE_OPTIONS: '--no-warnings' } })).toEqual(
      [],
    )
    for (const name of ['NODE_OPTIONS', 'LD_PRELOAD', 'BASH_ENV', 'GIT_SSH_COMMAND', 'PYTHONPATH', 'PATH', 'path'])
      expect(problemsOf({ command: ['a'], env: { [name]: '{id}' } })[0], name).toMatch(/decides what runs/)
    expect(problemsOf({ command: ['a'], env: { MILLRACE_ID: '1' } })[0]).toMatch(/belongs to Millrace/)
    expect(problemsOf({ command: ['a'], env: { 'A=B': '1' } })[0]).toMatch(/not the name/)
    expect(problemsOf({ command: ['a'], env: { A: '{id}' }, batch: { size: 2 } })[0]).toMatch(/standard input/)
  })

  it('gives an exit code one meaning', () => {
    expect(problemsOf({ command: ['a'], exit: { ack: [0, 3], reject: [3] } })[0]).toMatch(/exit code 3 means ack/)
  })

  // SEC-62
  it('names a missing program at the start', async () => {
    await expect(sinkOf({ command: ['no-such-program'] }).open?.(contextOf())).rejects.toThrow(
      /subscription crm cannot run.*no-such-program in PATH/,
    )
    writeFileSync(join(folder, 'notes.txt'), '')
    await expect(sinkOf({ command: ['./notes.txt'] }).open?.(contextOf())).rejects.toThrow(/notes\.txt/)
    await expect(sinkOf({ command: [folder] }).open?.(contextOf())).rejects.toThrow(/there is no program/)
  })

  // S0-95
  it('says how many events one call takes', () => {
    const batchOf = (options: object) =>
      declaration.batchOf?.(declaration.options.parse({ command: ['a'], ...options }))
    expect(batchOf({})).toBeUndefined()
    expect(batchOf({ batch: { size: 50, wait: '3s' } })).toEqual({ size: 50, waitMs: 3000 })
  })

  // S0-98
  it('stops trying for ten minutes after five failures', () => {
    expect(declaration.defaults?.breaker).toEqual({ failures: 5, openMs: 600_000 })
  })
})

describe('a command', () => {
  // Kept open, so that not every test starts one.
  const launcher = openLauncher()
  afterAll(() => launcher.close())

  // S0-30
  it('gets its event as one line of CloudEvents JSON', async () => {
    const text = await stdoutOf({ command: ['cat'] })
    expect(text.endsWith('\n')).toBe(true)
    expect(JSON.parse(text)).toMatchObject({ specversion: '1.0', id: 'event-7', sequence: '7', data: { n: 7 } })
  })

  // S0-30
  it('gets a batch as NDJSON, in one run, and its end counts for all', async () => {
    const sink = sinkOf({
      command: ['sh', '-c', 'cat; echo "$MILLRACE_BATCH$MILLRACE_ID"; exit 3'],
      batch: { size: 3 },
    })
    const outcomes = await sink.deliver(
      [1, 2, 3].map((sequence) => deliveryOf(sequence)),
      contextOf(),
    )
    expect(outcomes!.map(({ outcome, reason }) => [outcome, reason])).toEqual(Array(3).fill(['retry', 'exit code 3']))
    const lines = String(outcomes![0]!.detail?.['stdout']).trim().split('\n')
    expect(lines.slice(0, 3).map((line) => (JSON.parse(line) as { id: string }).id)).toEqual([
      'event-1',
      'event-2',
      'event-3',
    ])
    expect(lines[3]).toBe('3')
    expect(outcomes![1]!.detail).toEqual({ exitCode: 3 })
  })

  it('is told which delivery it is', async () => {
    const text = await stdoutOf({ command: ['sh', '-c', 'env | grep ^MILLRACE_ | sort'] }, { subject: 'order-7' })
    const said = Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=')),
    )
    const run = said.MILLRACE_RUN_ID
    expect(said).toEqual({
      MILLRACE_ATTEMPT: '2',
      MILLRACE_ID: 'event-7',
      MILLRACE_MESSAGE_ID: 'msg_7',
      [ownerVariable]: expect.any(String),
      MILLRACE_RUN_ID: expect.stringMatching(/^run_/),
      MILLRACE_SEQUENCE: '7',
      MILLRACE_SOURCE: 'shop',
      MILLRACE_SUBJECT: 'order-7',
      MILLRACE_SUBSCRIPTION: 'crm',
      MILLRACE_TYPE: 'order.placed',
    })
    // G26
    expect(await stdoutOf({ command: ['sh', '-c', 'echo $MILLRACE_RUN_ID'] })).toBe(`${run}\n`)
  })

  // S0-96
  it.each([
    [0, 'ack'],
    [75, 'retry'],
    [65, 'reject'],
    [1, 'retry'],
    [127, 'retry'],
  ])('that ends with %i means %s', async (code, outcome) => {
    const said = await outcomeOf({ command: ['sh', '-c', `exit ${code}`] })
    expect(said).toMatchObject({ outcome, detail: { exitCode: code } })
  })

  it('may mean something else by its exit codes, and a signal is a retry', async () => {
    const exit = { ack: [0, 2], reject: [1], discard: [4] }
    const ends = async (script: string) => outcomeOf({ command: ['sh', '-c', script], exit })
    expect(await ends('exit 2')).toMatchObject({ outcome: 'ack' })
    expect(await ends('exit 1')).toMatchObject({ outcome: 'reject' })
    expect(await ends('exit 4')).toMatchObject({ outcome: 'discard', reason: 'exit code 4' })
    expect(await ends('exit 65')).toMatchObject({ outcome: 'retry' })
    expect(await ends('kill -SEGV $$')).toMatchObject({
      outcome: 'retry',
      detail: { exitCode: null, signal: 'SIGSEGV' },
    })
  })

  // S0-96
  it('that cannot be started is a retry with exit code -1', async () => {
    const file = join(folder, 'tool')
    writeFileSync(file, '#!/no/such/interpreter\n')
    chmodSync(file, 0o755)
    expect(await outcomeOf({ command: ['./tool'] })).toMatchObject({
      outcome: 'retry',
      reason: expect.stringMatching(/did not start/),
      detail: { exitCode: -1 },
    })
  })

  // S0-99, SEC-64
  it('has what it wrote kept in the attempt: the end of it, without control characters and secrets', async () => {
    const script = 'printf "\\033[31mred\\033[0m\\nline\\000two $API_TOKEN $COLOUR"; yes | head -c 9000 >&2'
    const env = { API_TOKEN: 'hunter22', COLOUR: 'green' }
    const { detail } = await outcomeOf({ command: ['sh', '-c', script], env, output: '1KiB' })
    expect(detail?.['stdout']).toBe('\\u001b[31mred\\u001b[0m\nline\\u0000two [API_TOKEN] green')
    expect(detail?.['stdoutTruncated']).toBeUndefined()
    expect(detail).toMatchObject({ stderrTruncated: true })
    expect(String(detail?.['stderr'])).toHaveLength(1024)
  })

  // SEC-60
  it('gets what the event says as exactly one argument, whatever it holds', async () => {
    const nasty = 'a b; $(touch pwned) `id` "\' \\ *'
    const data = JSON.stringify({ name: nasty, deep: [{ n: 1.5, yes: true }] })
    const list = [
      'printf',
      '[%s]\n',
      '{data.name}',
      '--n={data.deep.0.n}',
      '{data.deep.0.yes}',
      '{{id}}',
      '{id}/{type}',
    ]
    const text = await stdoutOf({ command: list }, { data })
    expect(text).toBe(`[${nasty}]\n[--n=1.5]\n[true]\n[{id}]\n[event-7/order.placed]\n`)
  })

  // SEC-60
  it('is not run when what the event says would be an option, unless -- stands before it', async () => {
    const evil = { subject: '--upload-pack=evil' }
    const refused = await outcomeOf({ command: ['printf', '%s', '{subject}'] }, evil)
    expect(refused).toMatchObject({ outcome: 'reject', reason: expect.stringMatching(/read as an option/) })
    expect(refused.reason).not.toContain('evil')
    expect(await stdoutOf({ command: ['printf', '%s', '--', '{subject}'] }, evil)).toBe('----upload-pack=evil')
    expect(await stdoutOf({ command: ['printf', '%s', 'x={subject}'] }, evil)).toBe('x=--upload-pack=evil')
  })

  it.each([
    [{ subject: undefined }, /no subject/],
    [{ subject: 's', data: '{"a":{"b":1}}' }, /not a text/],
    [{ subject: 's', data: '{"a":null}' }, /no data\.a/],
    [{ subject: 's', data: '{"a":"\\u0000"}' }, /NUL/],
    [{ subject: 's', data: JSON.stringify({ a: 'x'.repeat(70_000) }) }, /longer than/],
    [{ subject: 's', data: '{"__proto__":1}' }, /no data\.a/],
  ])('is not run when a placeholder has nothing that fits: %j', async (record, reason) => {
    const outcome = await outcomeOf({ command: ['true', '{subject}', '{data.a}'] }, record)
    expect(outcome).toMatchObject({ outcome: 'reject', reason: expect.stringMatching(reason) })
  })

  // SEC-62
  it('runs in the folder of the configuration or the one named, found once by name or by path', async () => {
    expect(await stdoutOf({ command: ['pwd'] })).toBe(`${folder}\n`)
    expect(await stdoutOf({ command: ['pwd'], cwd: '/usr' })).toBe('/usr\n')
    writeFileSync(join(folder, 'tool.sh'), '#!/bin/sh\necho tool\n', { mode: 0o755 })
    expect(await stdoutOf({ command: ['./tool.sh'], cwd: '/' })).toBe('tool\n')
  })

  // S0-99
  // G26
  it.each([
    ['stopped', ['sleep', '60'], /^stopped with all it started: .*not run again, because it is not idempotent$/],
    ['ended by a signal', ['sh', '-c', 'kill -9 $$'], /^ended by SIGKILL; not run again/],
  ])('that is %s is not run again when it is not idempotent', async (_, list, reason) => {
    const sink = sinkOf({ command: list, idempotent: false })
    expect(sink.isRepeatable).toBe(false)
    const [outcome] = (await sink.deliver([deliveryOf(1)], contextOf(AbortSignal.timeout(300))))!
    expect(outcome).toMatchObject({ outcome: 'reject', reason: expect.stringMatching(reason) })
    const failing = sinkOf({ command: ['sh', '-c', 'exit 75'], idempotent: false })
    expect(await failing.deliver([deliveryOf(1)], contextOf())).toMatchObject([{ outcome: 'retry' }])
  })

  it('that does not end is stopped at the timeout, and the attempt says so', async () => {
    const abort = new AbortController()
    const attempt = sinkOf({ command: ['sh', '-c', 'echo begun; sleep 1000'] }).deliver(
      [deliveryOf(1)],
      contextOf(abort.signal),
    )
    setTimeout(() => abort.abort(new Error('timed out after 50 ms')), 50)
    expect(await attempt).toEqual([
      {
        outcome: 'retry',
        reason: 'stopped with all it started: timed out after 50 ms',
        detail: { exitCode: null, signal: 'SIGTERM', stdout: 'begun\n' },
      },
    ])
  })

  it('still at work when the sink closes is ended', async () => {
    const sink = sinkOf({
      command: ['sh', '-c', 'trap "" TERM; setsid sleep 1000 & sleep 1000'],
      env: { HOLDER: folder },
    })
    const attempt = sink.deliver([deliveryOf(1)], contextOf())
    await vi.waitFor(() => expect(ofFolder()).not.toEqual([]), patient)
    await sink.close?.()
    expect(await attempt).toMatchObject([{ outcome: 'retry', reason: 'ended by SIGKILL' }])
    expect(ofFolder()).toEqual([])
  })
})

describe('the launcher of commands', () => {
  const holding = { command: ['sh', '-c', 'setsid sleep 1000 & exec sleep 1000'], env: { HOLDER: '' } }
  const launchers = (): number[] =>
    listProcessIds().filter(
      (pid) => commandLine(pid).includes('launcher.ts') && readProcess(pid)?.parent === process.pid,
    )
  const commandLine = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
    } catch {
      return ''
    }
  }

  // SEC-66
  it.runIf(onLinux)('gives a command its input and outputs, and no other open file', async () => {
    expect(await stdoutOf({ command: ['sh', '-c', 'ls /proc/$$/fd'] })).toBe('0\n1\n2\n')
  })

  it.runIf(onLinux)('may die: its commands are ended and tried again, with another one', async () => {
    const sink = sinkOf({ ...holding, env: { HOLDER: folder } })
    const attempt = sink.deliver([deliveryOf(1)], contextOf())
    await vi.waitFor(() => expect(ofFolder()).toHaveLength(2), patient)
    for (const pid of launchers()) process.kill(pid, 'SIGKILL')
    expect(await attempt).toMatchObject([{ outcome: 'retry', detail: { exitCode: -1 } }])
    expect(ofFolder()).toEqual([])
    expect(await stdoutOf({ command: ['echo', 'again'] })).toBe('again\n')
  })

  it.runIf(onLinux)('is one for all, and gone when the last sink is closed', async () => {
    const sinks = [sinkOf({ command: ['true'] }), sinkOf({ command: ['true'] })]
    for (const sink of sinks) await sink.open?.(contextOf())
    expect(launchers()).toHaveLength(1)
    await sinks[0]!.close?.()
    expect(launchers()).toHaveLength(1)
    await sinks[1]!.close?.()
    expect(launchers()).toEqual([])
  })

  // SEC-63, G26
  it.runIf(onLinux)('ends every command when Millrace itself is killed', async () => {
    const file = join(folder, 'millrace.ts')
    const own = (name: string) => JSON.stringify(import.meta.resolve(name))
    writeFileSync(
      file,
      `import { command } from ${own('./command.ts')}
import { createPluginContext, deliveryOf } from ${own('../testing/index.ts')}
import { nodePlatform } from ${own('../plugin/platform.ts')}
const { declaration } = command
const options = declaration.options.parse(${JSON.stringify({ ...holding, env: { HOLDER: folder } })})
const sink = declaration.create(options, { directory: ${JSON.stringify(folder)}, platform: nodePlatform })
await sink.deliver([deliveryOf(1)], createPluginContext())
`,
    )
    const child = spawn(process.execPath, [file], { stdio: 'ignore' })
    await vi.waitFor(() => expect(ofFolder()).toHaveLength(2), patient)
    child.kill('SIGKILL')
    await vi.waitFor(() => expect(ofFolder()).toEqual([]), patient)
  })
})

/** Live processes whose environment names the folder of this test. */
const ofFolder = (): number[] =>
  listProcessIds().filter((pid) => readProcess(pid) !== undefined && variableOf(pid, 'HOLDER') === folder)

describe('commands of a pipeline', () => {
  // SEC-63, SEC-65, S0-99
  it('that time out leave no process, however they forked', { timeout: 60_000 }, async () => {
    const total = 60
    const script = `trap "" TERM
sleep 1000 &
(sleep 1000 & (sleep 1000 &))
setsid sh -c "trap '' TERM HUP; (setsid sleep 1000 &); sleep 1000" >/dev/null 2>&1 &
sleep 1000`
    const sink = sinkOf({ command: ['sh', '-c', script], env: { HOLDER: folder } })
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, ofFolder().length)
    }, 50)
    const runSome = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const outcomes = await sink.deliver([deliveryOf(n)], contextOf(AbortSignal.timeout(300)))
        expect(outcomes).toMatchObject([{ outcome: 'retry', detail: { exitCode: null, signal: 'SIGKILL' } }])
        expect(outcomes![0]!.detail).not.toHaveProperty('processesLeft')
      }
    }
    await Promise.all(Array.from({ length: 10 }, () => runSome(total / 10)))
    clearInterval(watch)
    expect(most).toBeGreaterThan(10)
    expect(ofFolder()).toEqual([])
  })

  // S0-96, S0-99
  it('leave exit code and output where explain finds them', async () => {
    const pipeline = await openPipeline({
      store: memory(),
      subscriptions: { one: { sink: command({ command: ['sh', '-c', 'echo said; exit 65'] }) } },
    })
    await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
    await pipeline.idle()
    const explained = JSON.stringify(await pipeline.explain(1))
    expect(explained).toContain('"exitCode":65')
    expect(explained).toContain('"stdout":"said\\n"')
    await pipeline.stop()
  })

  it('whose program is missing keep the pipeline from starting', async () => {
    const config = { store: memory(), subscriptions: { one: { sink: command({ command: ['no-such-program'] }) } } }
    await expect(openPipeline(config)).rejects.toThrow(/subscription one cannot run/)
  })
})
