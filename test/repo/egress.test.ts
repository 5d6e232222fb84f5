import { describe, expect, test } from 'vitest'
import { codeOf, filesBelow, isProduct, textOf } from './files.ts'

/** The one way out: the client with its guard. */
const wayOut = /^src\/io\/(?:http-\w+|egress-\w+)\.ts$/

/** Other files that reach the network, each with its reason. May only shrink. */
const waivers: Readonly<Record<string, string>> = {
  'src/client/settings.ts fetch(':
    'the client runs in the program of a producer, and asks the server at the address that it was given',
  'src/cli/api.ts undici': 'the command line asks the server of its own configuration, at the address written there',
  'src/cli/plugin-templates.ts fetch(':
    'text of a plug-in file that `millrace new` writes; it is the user’s from then on',
}

/** What can open a connection: modules that are made for it, and names of `node:http` that do. */
const modules = new Set(['undici', 'node:net', 'node:tls', 'node:dgram', 'node:http2', 'node:dns', 'node:dns/promises'])
/** What such a module has that opens none. */
const harmlessNames = new Map([
  ['node:http', ['createServer', 'IncomingMessage', 'STATUS_CODES', 'METHODS']],
  ['node:https', ['createServer']],
  ['node:net', ['createServer', 'isIP', 'isIPv4', 'isIPv6', 'BlockList']],
])
const calls = [/(?<![.\w])(?:globalThis\.)?fetch\(/, /\bnew (?:globalThis\.)?(?:WebSocket|EventSource)\(/]

/** A method of one's own that is called `fetch`, where it is defined. */
const ownMethod = /^ +(?:async )?fetch\([^\n]*\)(?:: [^\n]+)? \{$/gm

/** Ways to the network in the text of a file. Types, servers and methods of one's own that are called `fetch` are none. */
function waysIn(text: string): string[] {
  const found: string[] = []
  const code = codeOf(text, { keepStrings: true })
  for (const [, kind, names, module] of code.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\b)?([^'"`;=]*?)\bfrom\s*'([^']+)'/g,
  )) {
    if (kind !== undefined) continue
    const values = names!
      .replaceAll(/[{}]/g, '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
    if (values.length === 0) continue
    const harmless = harmlessNames.get(module!) ?? (modules.has(module!) ? [] : undefined)
    if (harmless !== undefined && !values.every((name) => harmless.includes(name))) found.push(module!)
  }
  for (const [, module] of code.matchAll(/\b(?:import|require)\(\s*'([^']+)'\s*\)/g))
    if (modules.has(module!) || /^node:https?$/.test(module!)) found.push(module!)
  const bare = codeOf(text).replaceAll(ownMethod, '')
  for (const call of calls) {
    const match = call.exec(bare)
    if (match !== null) found.push(match[0].replace('globalThis.', ''))
  }
  return found
}

const ways = filesBelow('src')
  .filter((path) => isProduct(path) && !wayOut.test(path))
  .flatMap((path) => waysIn(textOf(path)).map((way) => `${path} ${way}`))

describe('outbound HTTP', () => {
  // SEC-1
  test('leaves through src/io/http-client.ts and nowhere else', () => {
    expect(ways.filter((way) => waivers[way] === undefined)).toEqual([])
  })

  test('every waiver is still needed', () => {
    expect(Object.keys(waivers).filter((waiver) => !ways.includes(waiver))).toEqual([])
  })

  test('the scan sees each way, and no type, server, comment or method', () => {
    for (const bad of [
      "import { request } from 'undici'",
      "import http from 'node:http'",
      "import { createServer, request } from 'node:https'",
      "import { connect } from 'node:net'",
      "const { get } = await import('node:http')",
      'await fetch(url)',
      '  const answer = await fetch(url, {',
      '  fetch(url).then((answer) => {',
      'await globalThis.fetch(url)',
      'new WebSocket(url)',
    ])
      expect(waysIn(bad), bad).toHaveLength(1)
    for (const good of [
      "import type { Pool } from 'undici'",
      "import { type Socket } from 'node:net'",
      "import { createServer, type Server } from 'node:http'",
      '// fetch(url)',
      "const text = 'fetch(url)'",
      'await handler.fetch(request)',
      '  fetch(name: string): Promise<void> {',
      '  async fetch(name: string): Promise<void> {',
      "import { isIP } from 'node:net'",
    ])
      expect(waysIn(good), good).toEqual([])
  })
})
