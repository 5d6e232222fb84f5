import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SinkDeclaration, StageDeclaration } from '../../src/plugin/define.ts'
import { checkingSlots, pipelineSchema, subscriptionSettings } from '../../src/plugin/pipeline-schema.ts'
import { builtInCatalogue } from '../../src/registry.ts'
import { filesBelow, isThere, root, textOf } from './files.ts'
import { pages } from './snippets.ts'

const guide = filesBelow('docs/guide', '.md')

/** What headings of a page are called in links to them; the second of a name has -1 after it. */
function anchorsOf(page: string): string[] {
  const prose = textOf(page).replaceAll(/^```[\s\S]*?^```$/gm, '')
  const seen = new Map<string, number>()
  return [...prose.matchAll(/^#+ (.+)$/gm)].map((match) => {
    const name = match[1]!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
    const earlier = seen.get(name) ?? 0
    seen.set(name, earlier + 1)
    return earlier === 0 ? name : `${name}-${earlier}`
  })
}

/** The links of a page to this repository, as path and anchor. */
function linksOf(page: string): { readonly to: string; readonly anchor: string | undefined }[] {
  return [...textOf(page).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, path, anchor]) => ({
    to: path === '' ? page : relative(root, join(root, dirname(page), path!)),
    anchor,
  }))
}

/** The rows of a page's tables whose first cell names something, as cells. */
function rowsOf(page: string): string[][] {
  return [...textOf(page).matchAll(/^\| (.*) \|$/gm)].map((match) => match[1]!.split(' | '))
}

test('every link to a heading leads to one', () => {
  const dead = pages.flatMap((page) =>
    linksOf(page)
      .filter(({ to, anchor }) => anchor !== undefined && to.endsWith('.md') && !anchorsOf(to).includes(anchor))
      .map(({ to, anchor }) => `${page}: ${to}#${anchor}`),
  )
  expect(dead).toEqual([])
})

test('every file that ARCHITECTURE.md names is there', () => {
  const named = [...textOf('ARCHITECTURE.md').matchAll(/`([\w-]+\/[\w/.-]+)`/g)].map((match) => match[1]!)
  expect(named.filter((path) => !isThere(path) && !isThere(`src/${path}`))).toEqual([])
})

test('the README leads to every page of the guide', () => {
  const reached = linksOf('README.md').map(({ to }) => to)
  expect(guide.filter((page) => !reached.includes(page))).toEqual([])
})

/** The headings that each page of a source or sink has, besides its own. */
const headings = ['Failures, restarts, duplicates', 'Options that matter', 'Limits and security']

describe.each(['source', 'sink'] as const)('%ss', (kind) => {
  const names = builtInCatalogue.names(kind)
  const pageOf = (name: string): string => `docs/guide/${kind}s/${name}.md`

  test('each has a page, and each page is of one', () => {
    expect(filesBelow(`docs/guide/${kind}s`, '.md').sort()).toEqual(names.map(pageOf).sort())
  })

  test.each(['README.md', `docs/guide/${kind}s.md`])('each is listed in %s with a link to its page', (page) => {
    const listed = rowsOf(page).flatMap(([name]) => {
      const match = /^\[`([\w-]+)`\]\(([^)#]*)\)$/.exec(name!)
      return match !== null && join(dirname(page), match[2]!) === pageOf(match[1]!) ? [match[1]!] : []
    })
    expect(listed.sort()).toEqual(names)
  })

  test.each(names)('the page of %s shows it, and what happens when things go wrong', (name) => {
    const text = textOf(pageOf(name))
    expect(text).toMatch(new RegExp(`^# The ${kind} ${name}\n`))
    for (const heading of headings) expect(text).toContain(`\n## ${heading}\n`)
    expect(text).toMatch(new RegExp(`\`\`\`yaml\\n[^\`]*type: ${name}\\b`))
    const reached = linksOf(pageOf(name)).map(({ to }) => to)
    expect(reached.some((to) => /^docs\/reference\/(plugins|http)\.md$/.test(to))).toBe(true)
    expect(reached.filter((to) => to.startsWith('examples/'))).not.toEqual([])
  })

  test.each(names)('the page of %s says how to import it', async (name) => {
    const match = /import \{ (\w+) \} from 'millrace\/(s[\w/-]+)'/.exec(
      textOf(pageOf(name)).replaceAll(/import .* from 'millrace\/stores\/\w+'/g, ''),
    )
    expect(match?.[2]).toBe(`${kind}s/${name}`)
    const module = (await import(`../../src/${kind}s/${name}.ts`)) as Record<string, unknown>
    expect(module[match![1]!]).toBeDefined()
  })
})

test('the guide has a part on every built-in stage, and lists it, with whether it is pure', () => {
  const named = [...textOf('docs/guide/stages.md').matchAll(/^## (.+)$/gm)].flatMap((match) =>
    match[1]!.split(/, | and /),
  )
  const listed = rowsOf('docs/guide/stages.md').flatMap(([name, , kind]) => {
    const match = /^\[`([\w-]+)`\]\(#/.exec(name!)
    return match === null ? [] : [[match[1], kind === 'pure']]
  })
  const declared = builtInCatalogue.all('stage') as readonly StageDeclaration[]
  expect(builtInCatalogue.names('stage').filter((name) => !named.includes(name))).toEqual([])
  expect(listed.sort()).toEqual(declared.map(({ name, isPure = false }) => [name, isPure]).sort())
})

/** Settings that have no page yet. The list only shrinks. */
const unwritten = ['schemas', 'stages', 'upcast']

test('every setting of the configuration and of a subscription stands in the guide', () => {
  const code = guide.flatMap((page) => [...textOf(page).matchAll(/`{3}yaml[\s\S]*?`{3}|`[^`\n]+`/g)].join('\n'))
  const settings = [
    ...Object.keys(pipelineSchema(checkingSlots(builtInCatalogue)).shape),
    ...subscriptionSettings(builtInCatalogue),
  ]
  const missing = settings.filter((name) => !code.some((text) => new RegExp(`\\b${name}\\b`).test(text)))
  expect(missing.filter((name) => !unwritten.includes(name))).toEqual([])
})

// SEC-27
test('the guide says what to do when a secret of webhooks has leaked', () => {
  expect(textOf('docs/guide/sinks/webhook.md')).toMatch(/When a secret has leaked, put the new one alone.*five minutes/)
  expect(textOf('docs/guide/customer-webhooks.md')).toMatch(/secret that is in the wrong hands.*"overlap": "0s"/)
})

/** How deliveries of a sink are kept, by what it declares. */
function kindOf({ served, defaults }: SinkDeclaration): string {
  if (served === 'view') return 'its clients hold their position'
  if (served === 'batches') return 'durable, confirmed by clients'
  return defaults?.guarantee === 'best-effort' ? 'fire and forget' : 'durable, with retry'
}

// S0-32
test('the guide says of every sink the guarantee that it declares', () => {
  const rows = rowsOf('docs/guide/sinks.md').flatMap(([name, guarantee, kind]) => {
    const match = /^\[`(\w+)`\]/.exec(name!)
    return match === null || kind === undefined ? [] : [[match[1], guarantee, kind]]
  })
  const declared = builtInCatalogue.all('sink') as readonly SinkDeclaration[]
  expect(rows.sort()).toEqual(
    declared.map((sink) => [sink.name, /^[^.:]+/.exec(sink.delivers)![0], kindOf(sink)]).sort(),
  )
})
