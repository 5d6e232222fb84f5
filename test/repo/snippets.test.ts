import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root, textOf } from './files.ts'
import { pages, snippets, snippetsIn } from './snippets.ts'

const run = promisify(execFile)
const all = snippets()
const of = (language: string) => all.filter((snippet) => snippet.language === language)
const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

// Inside the repository, so that `millrace` is found by name.
let folder = ''
beforeAll(() => {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  folder = mkdtempSync(join(root, '.millrace', 'snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Writes a file below the folder of this run. */
function written(path: string, text: string): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/** Exit code and output, also of a command that fails. */
async function outputOf(args: readonly string[], cwd: string): Promise<{ code: number; out: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [...args], { cwd })
    return { code: 0, out: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout + stderr }
  }
}

test('every block of code says its language, and it is one that is checked here', () => {
  const checked = ['ts', 'yaml', 'json', 'sh', 'text']
  const other = all.filter(({ language, page }) => !checked.includes(language) && page !== 'ARCHITECTURE.md')
  expect(other.map(({ page, line }) => `${page}:${line}`)).toEqual([])
})

test('every TypeScript block is a module that type-checks', { timeout: 120_000 }, async () => {
  of('ts').forEach(({ page, line, text }) => {
    written(`types/${page.replaceAll('/', '-')}-${line}.ts`, text)
  })
  const config = written(
    'types/tsconfig.json',
    JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['*.ts'] }),
  )
  const { code, out } = await outputOf([join(root, 'node_modules/typescript/bin/tsc'), '-p', config], folder)
  expect(out).toBe('')
  expect(code).toBe(0)
})

describe('TypeScript blocks that say what they print', () => {
  const printing = of('ts').filter(({ prints }) => prints !== undefined)
  test('the README has one', () => {
    expect(printing.some(({ page }) => page === 'README.md')).toBe(true)
  })
  test.each(printing)('$page:$line prints what it says', async ({ page, line, text, prints }) => {
    const file = written(`run-${page.replaceAll('/', '-')}-${line}/example.ts`, text)
    const { out } = await outputOf([...flags, file], dirname(file))
    expect(out).toBe(prints)
  })
})

test.each(of('yaml'))('$page:$line is a configuration that millrace check accepts', async ({ page, line, text }) => {
  const file = written(`check-${page.replaceAll('/', '-')}-${line}/millrace.yaml`, text)
  const { code, out } = await outputOf([...flags, join(root, 'bin/millrace.js'), 'check', file], dirname(file))
  expect(out).not.toMatch(/error/i)
  expect(code).toBe(0)
})

test('every JSON block parses', () => {
  for (const { page, line, text } of of('json'))
    expect(() => JSON.parse(text) as unknown, `${page}:${line}`).not.toThrow()
})

test('every command of a shell block is there', async () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
  const { out: help } = await outputOf([...flags, join(root, 'bin/millrace.js'), '--help'], folder)
  const unknown = of('sh').flatMap(({ page, line, text }) =>
    [
      ...text
        .replaceAll(/#.*$/gm, '')
        .matchAll(/\bnpm (?:run )?(?:-s )?([\w:]+)|\b(?:npx|--) ?millrace ([\w-]+)|^millrace ([\w-]+)/gm),
    ].flatMap((match) => {
      const [, script, ...commands] = match
      const command = commands.find((each) => each !== undefined)
      const isThere =
        command === undefined
          ? ['ci', 'install', ...Object.keys(scripts)].includes(script!)
          : new RegExp(`^\\s+${command}\\b`, 'm').test(help)
      return isThere ? [] : [`${page}:${line} ${match[0]}`]
    }),
  )
  expect(unknown).toEqual([])
})

test('every relative link leads to a file', () => {
  const dead = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !existsSync(join(root, dirname(page), link)))
      .map((link) => `${page}: ${link}`),
  )
  expect(dead).toEqual([])
})

test('blocks are found with their page, line, language and what they print', () => {
  expect(snippetsIn('a.md', '# A\n\n```ts\nx()\n```\n\nprints\n\n```text\n1\n```\n')).toEqual([
    { page: 'a.md', line: 3, language: 'ts', text: 'x()\n', prints: '1\n' },
    { page: 'a.md', line: 9, language: 'text', text: '1\n', prints: undefined },
  ])
})
