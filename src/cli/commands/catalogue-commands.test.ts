import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Platform } from '../../core/platform.ts'
import { pluginKinds } from '../../plugin/define.ts'
import type { memory } from '../../stores/memory.ts'
import { runStoreCase, storeCases, whySkipped } from '../../testing/index.ts'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

async function run(...argv: string[]) {
  const io = createMemoryIo({ cwd, env: {} })
  await main(argv, io)
  return {
    code: io.exitCode,
    out: io.stdout,
    err: io.stderr,
    json: () => JSON.parse(io.stdout) as Record<string, unknown>,
  }
}

const save = (name: string, text: string): void => writeFileSync(join(cwd, name), text, { mode: 0o600 })

describe('check', () => {
  test('says of a right configuration what is in it, and exits 0', async () => {
    save(
      'millrace.yaml',
      'store: { type: memory }\nsources: { api: { type: http } }\nsubscriptions: { print: { sink: { type: console } } }',
    )
    const { code, out } = await run('check')
    expect([code, out]).toEqual([0, 'ok millrace.yaml: store memory, 1 source, 1 subscription\n'])
  })

  // S0-52
  test('prints every problem with its line and column, and exits 1', async () => {
    save('wrong.yaml', 'store: { type: memry }\nlimits: { body: 5 }\n')
    const { code, out } = await run('check', 'wrong.yaml')
    expect(code).toBe(1)
    expect(out.split('\n')).toEqual([
      'wrong.yaml:1:16: store.type: there is no store named "memry"; did you mean memory? (available: memory, sqlite)',
      'wrong.yaml:2:17: limits.body: 5 has no unit: write a number with B, KiB, MiB, GiB or TiB, for example 64KiB or 1MiB',
      'failed wrong.yaml: 2 problems',
      '',
    ])
  })

  test('with --json it answers the same for programs', async () => {
    save('wrong.yaml', 'store: { type: memory, x: 1 }\n')
    const { code, json } = await run('check', 'wrong.yaml', '--json')
    expect(code).toBe(1)
    expect(json()).toEqual({
      ok: false,
      file: 'wrong.yaml',
      issues: [
        {
          code: 'config-invalid',
          path: ['store', 'x'],
          message: 'there is no such setting',
          file: 'wrong.yaml',
          line: 1,
          column: 24,
        },
      ],
      warnings: [],
    })
  })

  test('a missing file is wrong use', async () => {
    const { code, err } = await run('check')
    expect(code).toBe(2)
    expect(err).toContain('write a starting one with `millrace init`')
  })

  // S0-51
  test('--no-env-file leaves the .env unread', async () => {
    save('.env', 'STORE=memory\n')
    save('millrace.yaml', 'store: { type: "${' + 'STORE}" }')
    expect((await run('check')).code).toBe(0)
    expect((await run('check', '--no-env-file')).out).toContain('the environment variable STORE is not set')
  })
})

describe('init', () => {
  test('writes a configuration that passes the check, for this user only', async () => {
    expect((await run('init')).out).toContain('Next: npx millrace run')
    expect(await run('check')).toMatchObject({
      code: 0,
      out: 'ok millrace.yaml: store sqlite, 2 sources, 1 subscription\n',
    })
    // SEC-74
    if (process.platform !== 'win32') expect(statSync(join(cwd, 'millrace.yaml')).mode & 0o777).toBe(0o600)
  })

  test('what it has commented out is right as well', async () => {
    await run('init')
    const text = readFileSync(join(cwd, 'millrace.yaml'), 'utf8')
    save(
      'all.yaml',
      text.replace(/^ {2}# (orders:| {2})/gm, '  $1').replace('$' + '{ORDERS_URL}', 'https://example.com'),
    )
    await run('new', 'stage', 'enrich')
    linkPackage()
    expect((await run('check', 'all.yaml')).out).toBe('ok all.yaml: store sqlite, 2 sources, 2 subscriptions\n')
  })

  test('makes the folder, and leaves a configuration that is there alone', async () => {
    expect((await run('init', 'deep/er')).code).toBe(0)
    save('deep/er/millrace.yaml', 'mine')
    const { code, err } = await run('init', 'deep/er')
    expect(code).toBe(1)
    expect(err).toContain('is there already and stays as it is')
    expect(readFileSync(join(cwd, 'deep/er/millrace.yaml'), 'utf8')).toBe('mine')
  })
})

describe('list and describe', () => {
  test('the list shows every plug-in by kind, or one kind', async () => {
    expect((await run('list')).out).toMatch(/store +memory[\s\S]*source +directory[\s\S]*sink +webhook/)
    const { json } = await run('list', 'sinks', '--json')
    expect((json()['plugins'] as { name: string }[]).map(({ name }) => name)).toEqual([
      'command',
      'console',
      'desktop',
      'file',
      'pull',
      'sse',
      'webhook',
    ])
  })

  test('a kind or a name that does not exist is wrong use, with the nearest spelling', async () => {
    expect(await run('list', 'snks')).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean sinks?') })
    expect(await run('describe', 'webhok')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean webhook? Available: aggregate, call'),
    })
  })

  // S0-32
  test('a description says what is delivered, every option and how to start', async () => {
    const { out } = await run('describe', 'webhook')
    expect(out).toMatch(/Delivers\nAt least once/)
    expect(out).toMatch(/url +text +needed +Where events are posted/)
    expect(out).toContain('sink:\n      type: webhook\n      url: https://example.com/hook')
  })
})

/** As if `millrace` were installed beside the file. */
function linkPackage(): void {
  mkdirSync(join(cwd, 'node_modules'), { recursive: true })
  if (!existsSync(join(cwd, 'node_modules/millrace'))) symlinkSync(root, join(cwd, 'node_modules/millrace'))
}

describe('new', () => {
  test('the files of every kind pass the type check and load as plug-ins', async () => {
    linkPackage()
    symlinkSync(join(root, 'node_modules/@types'), join(cwd, 'node_modules/@types'))
    for (const kind of pluginKinds) expect(await run('new', kind, `my-${kind}`)).toMatchObject({ code: 0 })
    save('package.json', '{ "type": "module" }')
    save(
      'tsconfig.json',
      readFileSync(join(root, 'tsconfig.json'), 'utf8').replace(/"include"[\s\S]*/, '"include": ["*.ts"] }'),
    )
    const tsc = promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', cwd])
    await expect(tsc.catch((error: { stdout: string }) => error.stdout)).resolves.toMatchObject({ stdout: '' })
    save(
      'millrace.yaml',
      'store: { type: ./my-store.ts }\nsources: { a: { type: ./my-source.ts, url: "https://example.com" } }\nsubscriptions: { b: { stages: [{ use: ./my-stage.ts }], sink: { type: ./my-sink.ts, url: "https://example.com" } } }',
    )
    expect((await run('check')).out).toBe('ok millrace.yaml: store my-store, 1 source, 1 subscription\n')
  })

  // S1-36
  test('the file of a store keeps every promise of one from the first line on', async () => {
    await run('new', 'store', 'my-store')
    linkPackage()
    const { default: made } = (await import(join(cwd, 'my-store.ts'))) as { default: typeof memory }
    const under = { open: (platform: Platform) => made().declaration.open({}, { directory: cwd, platform }) }
    const cases = Object.values(storeCases).flat()
    const wanted = cases.filter((storeCase) => whySkipped(storeCase, under) === undefined)
    for (const storeCase of wanted) await runStoreCase(storeCase, under)
    expect(wanted.length).toBeGreaterThan(cases.length / 2)
  })

  test('a file that is there stays, and a name that is none is refused', async () => {
    await run('new', 'sink', 'mine')
    expect(await run('new', 'sink', 'mine')).toMatchObject({ code: 1, err: expect.stringContaining('stays as it is') })
    expect(await run('new', 'sink', '../up')).toMatchObject({
      code: 2,
      err: expect.stringContaining('lower-case words with hyphens'),
    })
  })
})

test('the schema that is published is the one that the program prints', async () => {
  const { out } = await run('schema')
  const kept = readFileSync(join(root, 'millrace.schema.json'), 'utf8')
  expect(kept === out, 'millrace.schema.json is old: npm run -s millrace -- schema > millrace.schema.json').toBe(true)
})
