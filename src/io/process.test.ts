import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findExecutable, isBatchFile } from './process/executable.ts'
import { ownerVariable, windowsKill } from './process/hunt.ts'
import { createOwner } from './process/owner.ts'
import { listProcessIds, readProcess, variableOf } from './process/table.ts'
import { type RunRequest, runProcess, startProcess } from './process.ts'

/** Patient enough for a busy machine. */
const patient = { timeout: 15_000, interval: 10 }

let folder = ''
let owner = createOwner('/nowhere', 'test')
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-process-'))
  owner = createOwner(folder, 'test')
})
afterEach(async () => {
  await owner.endAll()
  rmSync(folder, { recursive: true, force: true })
})

function request(args: readonly string[], more: Partial<RunRequest> = {}): RunRequest {
  return {
    file: '/bin/sh',
    args,
    directory: folder,
    mark: owner.nextMark(),
    input: '',
    signal: new AbortController().signal,
    graceMs: 200,
    outputBytes: 4096,
    ...more,
  }
}
const run = (script: string, more: Partial<RunRequest> = {}) => runProcess(request(['-c', script], more))

async function ended(script: string, more: Partial<RunRequest> = {}) {
  const result = await run(script, more)
  if (result.kind === 'failed') throw new Error(result.problem)
  return result
}

/** Live processes that carry a mark. */
const marked = (mark: string): number[] =>
  listProcessIds().filter((pid) => readProcess(pid) !== undefined && variableOf(pid, ownerVariable) === mark)

describe('a process', () => {
  it('gets its input, and its output and exit code come back', async () => {
    const result = await ended('cat; echo to-stderr >&2; exit 7', { input: 'one\ntwo\n' })
    expect(result).toMatchObject({ code: 7, signal: null, isAborted: false })
    expect(result.stdout).toEqual({ text: 'one\ntwo\n', isTruncated: false })
    expect(result.stderr.text).toBe('to-stderr\n')
  })

  it('that does not read its input ends all the same', async () => {
    expect(await ended('exit 0', { input: Buffer.alloc(4_000_000, 'x') })).toMatchObject({ code: 0 })
  })

  // SEC-59
  it('gets arguments as they are: no shell reads them', async () => {
    const args = ['$(id)', '; echo no', '`id`', '*', 'a b', '"\'', '']
    const result = await runProcess(request(['-c', 'printf "[%s]\\n" "$@"', 'sh', ...args]))
    expect(result).toMatchObject({ stdout: { text: args.map((each) => `[${each}]\n`).join('') } })
  })

  // SEC-61
  it('gets a few variables, those declared and the marks, and nothing else of this process', async () => {
    process.env['MILLRACE_TEST_CANARY'] = 'secret'
    const { stdout } = await ended('env', { env: { COLOUR: 'red' }, marks: { MILLRACE_ID: '1' } })
    delete process.env['MILLRACE_TEST_CANARY']
    const names = stdout.text
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]!)
    expect(names).toEqual(expect.arrayContaining(['PATH', 'COLOUR', 'MILLRACE_ID', ownerVariable]))
    const allowed = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'COLOUR', 'MILLRACE_ID', ownerVariable]
    // The shell adds these itself.
    expect(names.filter((name) => !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name) && !allowed.includes(name))).toEqual(
      [],
    )
  })

  // SEC-62
  it('runs in its folder, and what it writes is readable by nobody else', async () => {
    const before = process.umask()
    await ended('pwd > where; mkdir folder')
    expect(readFileSync(join(folder, 'where'), 'utf8').trim()).toBe(folder)
    expect(statSync(join(folder, 'where')).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'folder')).mode & 0o777).toBe(0o700)
    expect(process.umask()).toBe(before)
  })

  // SEC-66
  it.runIf(process.platform === 'linux')('has no open files but its input and outputs', async () => {
    const file = join(folder, 'leaky.ts')
    const own = JSON.stringify(import.meta.resolve('./process.ts'))
    const request = `{ file: '/bin/sh', args: ['-c', 'ls -l /proc/$$/fd'], directory: '/', mark: '', input: '', signal: new AbortController().signal, graceMs: 0, outputBytes: 4096 }`
    writeFileSync(
      file,
      `import { runProcess } from ${own}\nconst result = await runProcess(${request})\nconsole.log(result.stdout.text)`,
    )
    const secret = openSync(file, 'r')
    // Given at a number that Node does not look at: 16 is free.
    const stdio: ('ignore' | 'pipe' | number)[] = [
      'ignore',
      'pipe',
      'inherit' as 'ignore',
      ...Array<'ignore'>(37).fill('ignore'),
      secret,
    ]
    const { stdout } = spawnSync(process.execPath, [file], { stdio, encoding: 'utf8' })
    closeSync(secret)
    const open = [...stdout.matchAll(/ (\d+) -> (.*)$/gm)].map(([, number, target]) => [number, target])
    expect(open.slice(0, 3).map(([number]) => number)).toEqual(['0', '1', '2'])
    expect(open.some(([number]) => number === '40')).toBe(true)
    for (const [, target] of open.slice(3)) expect(target).toBe('/dev/null')
  })

  // SEC-64
  it('may write without end: the last bytes are kept, whole characters, and the cut is said', async () => {
    const result = await ended('yes "é" | head -c 3000000; printf END; printf "\\303\\251" >&2', { outputBytes: 100 })
    expect(result.stdout.isTruncated).toBe(true)
    expect(result.stdout.text).toMatch(/^[é\n]+END$/)
    expect(Buffer.byteLength(result.stdout.text)).toBeLessThanOrEqual(100)
    expect(result.stderr).toEqual({ text: 'é', isTruncated: false })
  })

  // S0-96
  it('that cannot be started is an answer', async () => {
    expect(await runProcess(request([], { file: join(folder, 'missing') }))).toMatchObject({ kind: 'failed' })
    expect(await run('exit 0', { directory: join(folder, 'missing') })).toMatchObject({ kind: 'failed' })
    expect(await run('x'.repeat(3_000_000))).toMatchObject({ kind: 'failed', problem: expect.stringMatching(/E2BIG/) })
    expect(await run('a\0b')).toMatchObject({ kind: 'failed' })
  })

  it('that is aborted before it begins does not run', async () => {
    expect(await run('touch ran', { signal: AbortSignal.abort() })).toMatchObject({ kind: 'failed' })
    expect(readdirSync(folder)).toEqual([])
  })

  // SEC-63
  it('leaves nothing of its group behind when it ends by itself', async () => {
    const held = request(['-c', 'sleep 1000 & sleep 1000 >/dev/null 2>&1 & echo done'])
    const result = await runProcess(held)
    expect(result).toMatchObject({ kind: 'ended', code: 0, stdout: { text: 'done\n' } })
    await vi.waitFor(() => expect(marked(held.mark)).toEqual([]), patient)
  })
})

describe('ending a process', () => {
  async function running(script: string) {
    const started = await startProcess(request(['-c', script]))
    if (started.kind === 'failed') throw new Error(started.problem)
    let out = ''
    started.stdout.on('data', (chunk: Buffer) => (out += String(chunk)))
    started.stderr.resume()
    await vi.waitFor(() => expect(out).toContain('ready'), patient)
    return { ...started, text: () => out }
  }

  // SEC-63
  it('asks first, so that it can tidy up', async () => {
    const process = await running('trap "echo tidy; exit 0" TERM; echo ready; while :; do sleep 0.01; done')
    expect(await process.end(5000)).toBe(0)
    expect(await process.ended).toEqual({ code: 0, signal: null })
    expect(process.text()).toContain('tidy')
  })

  // SEC-63
  it('kills what does not listen', async () => {
    const process = await running('trap "" TERM; echo ready; while :; do sleep 0.01; done')
    expect(await process.end(50)).toBe(0)
    expect(await process.ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  // SEC-63
  it('ends one that is stopped', async () => {
    const process = await running('echo ready; kill -STOP $$')
    expect(await process.end(50)).toBe(0)
  })

  const runaways = {
    'a child': 'sleep 1000 &',
    'a child that forked again': '(sleep 1000 & sleep 1000 &)',
    'a child in a session of its own': 'setsid sleep 1000 &',
    'a daemon': '(setsid sh -c "(trap \'\' TERM HUP; sleep 1000; sleep 1000) &" >/dev/null 2>&1 </dev/null &)',
    'a child without its environment': 'env -i /usr/bin/setsid /bin/sleep 1000 &',
    'children that start children': 'sh -c "while :; do setsid sleep 1000 & sleep 0.01; done" &',
  }
  // SEC-63, G26
  it.runIf(process.platform === 'linux').each(Object.entries(runaways))('ends %s as well', async (_, script) => {
    const before = new Set(sleepers())
    const process = await running(`trap "" TERM\n${script}\nsleep 0.05; echo ready; sleep 1000`)
    await vi.waitFor(() => expect(sleepers().filter((pid) => !before.has(pid)).length).toBeGreaterThan(1), patient)
    expect(await process.end(50)).toBe(0)
    expect(sleepers().filter((pid) => !before.has(pid))).toEqual([])
  })

  /** Every `sleep 1000` of this machine. */
  function sleepers(): number[] {
    return listProcessIds().filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').endsWith('sleep\x001000\0') && readProcess(pid) !== undefined
        )
      } catch {
        return false
      }
    })
  }
})

describe('the end of Millrace', () => {
  /** A process with a run of its own, which it leaves as told. */
  async function withLife(how: 'exit' | 'SIGKILL'): Promise<void> {
    const file = join(folder, 'life.ts')
    const source = import.meta.resolve('./process.ts')
    const ownerSource = import.meta.resolve('./process/owner.ts')
    writeFileSync(
      file,
      `import { startProcess } from ${JSON.stringify(source)}
import { createOwner } from ${JSON.stringify(ownerSource)}
const owner = createOwner(${JSON.stringify(folder)}, 'life')
const mark = owner.nextMark()
const started = await startProcess({ file: '/bin/sh', args: ['-c', 'setsid sh -c "echo up; exec sleep 1000" & sleep 1000'], directory: ${JSON.stringify(folder)}, mark })
await new Promise((resolve) => started.stdout.once('data', resolve))
console.log(mark)
${how === 'exit' ? 'process.exit(0)' : "process.kill(process.pid, 'SIGKILL')"}
`,
    )
    const result = await runProcess(request([file], { file: process.execPath }))
    if (result.kind === 'failed') throw new Error(result.problem)
    lastMark = result.stdout.text.trim()
    expect(lastMark, result.stderr.text).not.toBe('')
  }
  let lastMark = ''

  // SEC-63
  it.runIf(process.platform === 'linux')('ends what runs in its group', async () => {
    await withLife('exit')
    // The one in a session of its own is for the next life.
    await vi.waitFor(() => expect(marked(lastMark)).toHaveLength(1), patient)
    expect(await createOwner(folder, 'life').endAbandoned()).toBe(1)
  })

  // G26
  it.runIf(process.platform === 'linux')('by a kill leaves work that the next life ends, and only that', async () => {
    await withLife('SIGKILL')
    expect(marked(lastMark).length).toBeGreaterThanOrEqual(2)
    const mine = await startProcess(request(['-c', 'sleep 1000']))
    expect(await createOwner(folder, 'another').endAbandoned()).toBe(0)
    expect(marked(lastMark).length).toBeGreaterThanOrEqual(2)
    expect(await createOwner(folder, 'life').endAbandoned()).toBe(1)
    expect(marked(lastMark)).toEqual([])
    // A life that goes on keeps its own.
    expect(await createOwner(folder, 'test').endAbandoned()).toBe(0)
    if (mine.kind === 'failed') throw new Error(mine.problem)
    expect(await owner.endAll()).toBe(0)
    expect(await mine.ended).toMatchObject({ signal: 'SIGKILL' })
  })
})

describe('on Windows', () => {
  // SEC-59
  it('a batch file is refused however it is written', () => {
    for (const name of ['run.bat', 'RUN.CMD', 'run.Bat ', 'run.cmd. .']) {
      const found = findExecutable(name, { directory: folder, path: '', platform: 'win32' })
      expect(found).toMatchObject({ ok: false, problem: expect.stringMatching(/batch file/) })
    }
    for (const name of ['run.exe', 'bat', 'run.bat.exe', 'cmd']) expect(isBatchFile(name)).toBe(false)
  })

  it('a process is ended with its children by this', () => {
    expect(windowsKill(42, 'D:\\Windows')).toEqual({
      file: 'D:\\Windows\\System32\\taskkill.exe',
      args: ['/pid', '42', '/T', '/F'],
    })
  })
})
