// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatIssue } from '../core/issues.ts'
import { createCatalogue } from '../plugin/catalogue.ts'
import { defineSink } from '../plugin/define.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { schema } from '../plugin/schema.ts'
import { unopenedStore as memory } from '../plugin/stub-plugins.test-support.ts'
import { duration } from '../plugin/values.ts'
import { loadConfig } from './load.ts'

const hook = defineSink({
  name: 'webhook',
  summary: 'Sends.',
  delivers: '',
  options: schema.strictObject({ url: schema.string(), every: duration('Pace.').optional() }),
  example: {},
  create: () => ({ deliver: () => undefined }),
})
const catalogue = createCatalogue([memory, hook])

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-config-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

const options = { env: {}, catalogue, platform: nodePlatform }
const load = (text: string, env: Record<string, string> = {}, name = 'millrace.yaml') =>
  loadConfig({ text, file: join(directory, name) }, { ...options, env })

/** The problems, each as `line:column: path: message`. */
async function problems(text: string, env: Record<string, string> = {}): Promise<string[]> {
  const loaded = await load(text, env)
  return loaded.ok
    ? []
    : loaded.issues.map((issue) => formatIssue(issue).slice(directory.length + '/millrace.yaml:'.length))
}

const sinkUrl = async (text: string, env: Record<string, string> = {}): Promise<unknown> => {
  const loaded = await load(
    `store: { type: memory }\nsubscriptions: { a: { sink: { type: webhook, url: ${text} } } }`,
    env,
  )
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'))
  return (loaded.plan.subscriptions[0]!.sink!.options as { url: string }).url
}

describe('places', () => {
  // S0-52
  test('every problem has the line and column of the name or value that is wrong, in the order of the file', async () => {
    const found = await problems(
      [
        'store: { type: memry }',
        'limits:',
        '  body: 5',
        'subscriptions:',
        '  crm:',
        '    concurency: 3',
        '    match: [order.*, "a*"]',
        '    sink:',
        '      type: webhook',
      ].join('\n'),
    )
    expect(found).toEqual([
      '1:16: store.type: there is no store named "memry"; did you mean memory? (available: memory)',
      expect.stringMatching(/^3:9: limits\.body: 5 has no unit/),
      expect.stringMatching(
        /^6:5: subscriptions\.crm\.concurency: there is no such setting; did you mean concurrency\?/,
      ),
      expect.stringMatching(/^7:22: subscriptions\.crm\.match\[1\]: a star/),
      '8:5: subscriptions.crm.sink.url: this setting is missing: text is needed',
    ])
  })

  test('a file that is not YAML is placed where reading stopped', async () => {
    expect(await problems('store: { type: memory\nlimits: 1')).toEqual([
      expect.stringMatching(/^2:\d+: this is not valid YAML/),
    ])
    expect(await problems('store: { type: memory }\nstore: { type: memory }')).toEqual([
      '2:1: this name is there twice',
    ])
  })

  // SEC-41
  test('an address that others can reach needs tokens, and says so before the start', async () => {
    const said = '2:17: server.host: others can reach this address, so it needs tokens'
    for (const host of ['0.0.0.0', '"::"', '10.0.0.7'])
      expect(await problems(`store: { type: memory }\nserver: { host: ${host} }`)).toEqual([
        expect.stringContaining(said),
      ])
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '"::1"'])
      expect((await load(`store: { type: memory }\nserver: { host: ${host} }`)).ok).toBe(true)
    const token = `{ name: shop, hash: ${'a'.repeat(64)}, scopes: [ingest] }`
    expect((await load(`store: { type: memory }\nserver: { host: 0.0.0.0, tokens: [${token}] }`)).ok).toBe(true)
  })

  test('a name that is there twice hides no other problem', async () => {
    expect(await problems('store: { type: memry }\nlimits: { batch: 0 }\nlimits: { batch: 0 }')).toEqual([
      expect.stringContaining('1:16: store.type: there is no store named "memry"'),
      '3:1: this name is there twice',
      expect.stringContaining('3:18: limits.batch: a number of at least 1 is needed'),
    ])
  })

  test('a file that is not UTF-8 is not read', async () => {
    const file = join(directory, 'latin.yaml')
    writeFileSync(file, Buffer.from([0xff, 0xfe]))
    const loaded = await loadConfig(file, options)
    expect(!loaded.ok && loaded.issues[0]?.message).toBe('the configuration cannot be read: it is not UTF-8 text')
  })

  test('a folder is no configuration', async () => {
    const loaded = await loadConfig(directory, options)
    expect(!loaded.ok && loaded.issues[0]?.message).toContain('it is a folder; name the file in it')
  })

  test('JSON is read as it is, tabs and all', async () => {
    const loaded = await load(
      '{\n\t"store": {\n\t\t"type": "memory"\n\t},\n\t"limits": { "batch": 5 }\n}',
      {},
      'millrace.json',
    )
    expect(loaded.ok && loaded.plan.limits.batch).toBe(5)
  })

  test('an empty file and a missing file say what to do', async () => {
    expect(await problems('# nothing\n')).toEqual([expect.stringContaining('the file is empty; `millrace init`')])
    const loaded = await loadConfig(join(directory, 'none.yaml'), options)
    expect(!loaded.ok && loaded.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining('there is no such file; `millrace init`'),
    ])
  })
})

// S0-52, SEC-14
test('a bad rule of egress.allow is a problem with its place', async () => {
  expect(
    await problems(
      'store: { type: memory }\negress:\n  allow:\n    - 127.0.0.0/8\n    - 169.254.169.254/32\n    - crm\n',
    ),
  ).toEqual([
    expect.stringMatching(/^5:7: egress\.allow\[1\]: .*never reached/),
    expect.stringMatching(/^6:7: egress\.allow\[2\]: a range such as/),
  ])
})

describe('limits', () => {
  // SEC-72
  test.each([
    ['a file above 1MiB', `store: { type: memory } #${'x'.repeat(2 ** 20)}`, 'larger than 1MiB'],
    ['deep flow nesting', '['.repeat(400_000), 'nested deeper than 32 levels'],
    ['deep block nesting', '- '.repeat(100_000), 'nested deeper than 32 levels'],
    ['33 levels', `store: ${'['.repeat(32)}${']'.repeat(32)}`, 'nested deeper than 32 levels'],
    ['a value that holds itself', 'store: &a [*a]', 'nested deeper than 32 levels'],
    [
      '51 aliases',
      `store: &a x\nlimits: [${Array.from({ length: 51 }, () => '*a').join(', ')}]`,
      'more than 50 aliases',
    ],
    [
      'a billion laughs',
      `a: &a [x, x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => `${name}: &${name} [${Array.from({ length: 6 }, () => `*${'abcdefgh'[i]}`).join(', ')}]`).join('\n')}`,
      'multiply to more than 1000',
    ],
    ['a custom tag', 'store: !!js/function x', 'a tag (!…) cannot be used'],
    ['bytes', 'store: !!binary aGk=', 'a tag (!…) cannot be used'],
    ['a merge key', 'a: &a { type: memory }\nstore:\n  <<: *a', 'merge keys (<<) cannot be used'],
    ['two documents', 'store: { type: memory }\n---\nstore: { type: memory }', 'multiple documents'],
  ])('%s is refused', async (_, text, words) => {
    const found = await problems(text)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(words)
  })

  test('32 levels and 50 aliases are read', async () => {
    const nested = await problems(`store: ${'['.repeat(31)}${']'.repeat(31)}`)
    expect(nested.join()).not.toContain('nested deeper')
    const aliases = `store: &s { type: memory }\nsubscriptions: { a: { match: [&m order.placed, ${Array.from({ length: 50 }, () => '*m').join(', ')}] } }`
    expect(await problems(aliases)).toEqual([])
  })
})

describe('variables', () => {
  // SEC-73, S0-51
  test('the four forms are replaced after parsing, and a lone dollar sign stays', async () => {
    const env = { HOST: 'crm.example', EMPTY: '' }
    expect(await sinkUrl('"https://${HOST}/x"', env)).toBe('https://crm.example/x')
    expect(await sinkUrl('"${NONE:-fallback}-${EMPTY:-also}-${HOST:-no}"', env)).toBe('fallback-also-crm.example')
    expect(await sinkUrl('"${HOST:?is needed}"', env)).toBe('crm.example')
    expect(await sinkUrl('"$$HOST $${HOST} $.items $"', env)).toBe('$HOST ${HOST} $.items $')
    expect(await sinkUrl('"${EMPTY}"', env)).toBe('')
  })

  // SEC-73
  test('what a variable brings is never read again, neither as YAML nor for variables', async () => {
    expect(await sinkUrl('"${A}"', { A: '${B} }, evil: { x: 1', B: 'no' })).toBe('${B} }, evil: { x: 1')
  })

  test('names are left as they are', async () => {
    expect(await problems('store: { type: memory }\n"${NAME}": 1', { NAME: 'limits' })).toEqual([
      expect.stringContaining('there is no such setting'),
    ])
  })

  // SEC-73
  test('every missing variable is a problem with its place and its message', async () => {
    const found = await problems(
      'store: { type: memory }\nsubscriptions:\n  a:\n    sink: { type: webhook, url: "${A}/${B:?the key of the shop}" }\n    timeout: "${C:-${D}}"',
    )
    expect(found).toEqual([
      '4:33: subscriptions.a.sink.url: the environment variable A is not set: set it, or give a default with ${A:-default}',
      '4:33: subscriptions.a.sink.url: the environment variable B is not set: the key of the shop',
      expect.stringContaining('5:14: subscriptions.a.timeout: ${…} can be ${NAME}'),
    ])
  })

  test('NAME_FILE is read for a variable that is not set, without the newline at its end', async () => {
    const file = write('secret', 'from the file\n')
    expect(await sinkUrl('"${KEY}"', { KEY_FILE: file })).toBe('from the file')
    expect(await sinkUrl('"${KEY}"', { KEY_FILE: file, KEY: 'direct' })).toBe('direct')
    await expect(sinkUrl('"${KEY}"', { KEY_FILE: `${file}.none` })).rejects.toThrow(
      /the file that KEY_FILE names cannot be read/,
    )
  })

  // S0-51
  test('the .env beside the file is read and never overrides the environment', async () => {
    write('.env', 'A=file\nB=file\n')
    expect(await sinkUrl('"${A}-${B}"', { A: 'outside' })).toBe('outside-file')
    const loaded = await loadConfig(
      { text: 'store: { type: memory }\nserver: { host: "${B}" }', file: join(directory, 'm.yaml') },
      { ...options, readsEnvFile: false },
    )
    expect(loaded.ok).toBe(false)
  })

  test('a variable can stand for a number or a truth value', async () => {
    const loaded = await load(
      'store: { type: memory }\nserver: { port: "${PORT}" }\nsubscriptions: { a: { paused: "${P:-true}" } }',
      { PORT: '8080' },
    )
    expect(loaded.ok && [loaded.plan.server.port, loaded.plan.subscriptions[0]!.isPaused]).toEqual([8080, true])
    expect(await problems('store: { type: memory }\nserver: { port: "${PORT}" }', { PORT: '99999' })).toEqual([
      expect.stringContaining('a number of at most 65535'),
    ])
    expect(await problems('store: { type: memory }\nserver: { port: "8080" }')).toHaveLength(1)
  })

  test('a wrong value that came from a variable is not shown', async () => {
    const found = await problems(
      'store: { type: memory }\nsubscriptions: { a: { timeout: "${SECRET}", sink: { type: "${SECRET}" } } }',
      { SECRET: 'hunter2' },
    )
    expect(found).toHaveLength(2)
    expect(found.join()).not.toContain('hunter2')
  })
})

describe('plug-ins in files', () => {
  const root = new URL('..', import.meta.url).pathname
  const pluginFile = `import { defineSink } from '${root}plugin/define.ts'
import { schema } from '${root}plugin/schema.ts'
export default defineSink({ name: 'mine', summary: '', delivers: '', options: schema.strictObject({ depth: schema.int() }), example: {}, create: () => ({ deliver: () => undefined }) })
export const other = 5
`

  test('a sink is loaded from beside the configuration and its options are checked', async () => {
    write('mine.ts', pluginFile)
    const loaded = await load(
      'store: { type: memory }\nsubscriptions: { a: { sink: { type: ./mine.ts, depth: 3 } }, b: { sink: { use: ./mine.ts, depth: 4 } } }',
    )
    expect(loaded.ok && loaded.plan.subscriptions.map(({ sink }) => [sink?.declaration.name, sink?.options])).toEqual([
      ['mine', { depth: 3 }],
      ['mine', { depth: 4 }],
    ])
    expect(
      await problems('store: { type: memory }\nsubscriptions: { a: { sink: { type: ./mine.ts, dpth: 3 } } }'),
    ).toEqual([
      expect.stringMatching(/^2:23: .*\.sink\.depth: this setting is missing/),
      expect.stringMatching(/^2:48: .*\.dpth: there is no such setting; did you mean depth\?/),
    ])
  })

  // S3-13
  test('a stage can be exported with its options, which then stand nowhere else', async () => {
    write(
      'paid.ts',
      `import { saga } from '${new URL('../stages/saga.ts', import.meta.url)}'\nexport default saga({ start: 'order.placed', steps: [{ name: 'paid', event: 'payment.received', timeout: '1h' }] })`,
    )
    const stages = (written: string) => `store: { type: memory }\nsubscriptions: { a: { stages: [${written}] } }`
    const loaded = await load(stages('{ use: ./paid.ts, concurrency: 3 }'))
    expect(loaded.ok && loaded.plan.subscriptions[0]!.stages).toMatchObject([{ name: 'saga', concurrency: 3 }])
    expect(await problems(stages('{ use: ./paid.ts, with: { keep: 1d } }'))).toEqual([
      '2:56: subscriptions.a.stages[0].with: it has its options already: leave with out, or name a stage that takes options',
    ])
  })

  test('a stage can be a function, by default export or by name, and is given what stands under with', async () => {
    write(
      'steps.ts',
      'export default (input, own) => ({ outcome: "discard", reason: own.why })\nexport const enrich = () => ({ outcome: "ack" })\n',
    )
    const loaded = await load(
      'store: { type: memory }\nsubscriptions: { a: { stages: [{ use: ./steps.ts, with: { why: because }, concurrency: 3 }, { use: "./steps.ts#enrich" }] } }',
    )
    const stages = loaded.ok ? loaded.plan.subscriptions[0]!.stages : []
    expect(stages).toMatchObject([
      { name: 'steps', concurrency: 3, runsUserCode: true },
      { name: 'enrich', runsUserCode: true },
    ])
    const made = await stages[0]!.create({ directory, platform: nodePlatform })
    expect(made.process({} as never)).toEqual({ outcome: 'discard', reason: 'because' })
  })

  test('an isolated stage is found beside the file, named as ever, and not loaded here', async () => {
    write('deadly.ts', 'export default () => undefined; export const work = () => undefined; globalThis.isHere = true')
    const stages = [
      '{ use: ./deadly.ts, isolate: true }',
      '{ use: "./deadly.ts#work", isolate: { workers: 2 } }',
      '{ use: "./deadly.ts#work", name: own, isolate: true }',
    ]
    const loaded = await load(`store: { type: memory }\nsubscriptions: { a: { stages: [${stages.join(', ')}] } }`)
    expect(loaded.ok && loaded.plan.subscriptions[0]!.stages.map(({ name }) => name)).toEqual(['deadly', 'work', 'own'])
    expect('isHere' in globalThis).toBe(false)
    expect(
      await problems('store: { type: memory }\nsubscriptions: { a: { stages: [{ use: ./no.ts, isolate: true }] } }'),
    ).toEqual([`2:39: subscriptions.a.stages[0].use: there is no file ${directory}/no.ts`])
  })

  test('what cannot be loaded says why, once, beside the other problems', async () => {
    write('mine.ts', pluginFile)
    write('broken.ts', 'throw new Error("no luck")')
    const use = (type: string) => `{ sink: { type: "${type}" } }`
    const found = await problems(
      `store: { type: memory }\nsubscriptions:\n  a: ${use('./none.ts')}\n  b: ${use('./mine.ts#othr')}\n  c: ${use('./mine.ts#other')}\n  d: ${use('./broken.ts')}\n  e: { timeout: 5 }`,
    )
    expect(found).toEqual([
      `3:22: subscriptions.a.sink.type: there is no file ${directory}/none.ts`,
      '4:22: subscriptions.b.sink.type: ./mine.ts has no export named "othr"; did you mean other? (available: default, other)',
      '5:22: subscriptions.c.sink.type: other of ./mine.ts is not a sink: export what defineSink() made',
      '6:22: subscriptions.d.sink.type: ./broken.ts cannot be loaded: no luck',
      expect.stringContaining('subscriptions.e.timeout: 5 has no unit'),
    ])
  })

  test('a module is a configuration by its default export', async () => {
    const good = write('good.ts', 'export default { store: { type: "memory" }, limits: { batch: 7 } }')
    const loaded = await loadConfig(good, options)
    expect(loaded.ok && [loaded.plan.limits.batch, loaded.directory]).toEqual([7, directory])
    const none = await loadConfig(write('none.ts', 'export const config = {}'), options)
    expect(!none.ok && none.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining('no default export'),
    ])
    const bad = await loadConfig(write('bad.ts', 'export default { store: { type: "memory" }, limts: {} }'), options)
    expect(!bad.ok && bad.issues.map(formatIssue)).toEqual([
      expect.stringMatching(/bad\.ts: limts: there is no such setting; did you mean limits\?/),
    ])
  })
})

// SEC-74
test.skipIf(process.platform === 'win32')('a file that others may change is warned of', async () => {
  const file = write('millrace.yaml', 'store: { type: memory }')
  const quiet = await loadConfig(file, options)
  expect(quiet.ok && quiet.warnings).toEqual([])
  chmodSync(file, 0o666)
  const warned = await loadConfig(file, options)
  expect(warned.ok && warned.warnings.map(({ message }) => message)).toEqual([expect.stringContaining('chmod go-w')])
})
