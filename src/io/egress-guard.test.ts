import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { EgressRules, ListeningAddress } from '../core/egress.ts'
import { parseEgressRule } from '../plugin/egress-rule.ts'
import { createEgressGuard, type Resolve } from './egress-guard.ts'
import { type HttpAnswer, openHttpClient } from './http-client.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function rules(...allow: string[]): EgressRules {
  return {
    allow: allow.map((text) => {
      const parsed = parseEgressRule(text)
      if (!parsed.ok) throw new Error(parsed.problem)
      return parsed.rule
    }),
  }
}

/** A TCP server that counts connections and bytes, and answers 204 to whatever comes. */
async function listen() {
  const seen = { connections: 0, bytes: 0 }
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      seen.bytes += data.length
      socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { seen, port: (server.address() as { port: number }).port }
}

const answering = (...lists: string[][]): { readonly resolve: Resolve; readonly asked: string[] } => {
  const asked: string[] = []
  const resolve: Resolve = (hostname, _options, done) => {
    asked.push(hostname)
    const addresses = (lists.length > 1 ? lists.shift()! : lists[0]!).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    queueMicrotask(() => done(null, addresses))
  }
  return { resolve, asked }
}

function poster(egress: EgressRules, resolve?: Resolve) {
  const client = openHttpClient({ egress, resolve })
  cleanups.push(() => client.close())
  return (url: string): Promise<HttpAnswer> =>
    client.post({ url: new URL(url), headers: [], body: 'x', onAbort: () => undefined }, (answer) => answer)
}

const blocked = { kind: 'blocked' }
const allows = (url: string, ...allow: string[]): boolean => createEgressGuard(rules(...allow)).allows(new URL(url))

describe('the guard before any connection', () => {
  // SEC-2
  test.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'data:,x',
    'https://user@example.com/',
    'https://:x@example.com/',
  ])('refuses %s', (url) => expect(allows(url, '0.0.0.0/0')).toBe(false))

  // SEC-2
  test('takes plain http only where a rule may name the address', () => {
    expect(allows('http://example.com/')).toBe(false)
    expect(allows('https://example.com/')).toBe(true)
    expect(allows('http://example.com/', 'example.com:80')).toBe(true)
    expect(allows('http://example.com:8080/', 'example.com:80')).toBe(false)
    expect(allows('http://8.8.8.8/')).toBe(false)
    expect(allows('http://10.1.2.3/', '10.0.0.0/8')).toBe(true)
    expect(allows('http://EXAMPLE.com./', 'example.com:80')).toBe(true)
  })

  // SEC-6
  test.each([
    ...['127.0.0.1', '2130706433', '0x7f000001', '017700000001', '0x7f.1', '127.1', '127.0.0.1.', '%31%32%37.0.0.1'],
    ...[
      '１２７.0.0.1',
      '①②⑦.0.0.1',
      '127。0。0。1',
      '[::1]',
      '[::ffff:7f00:1]',
      '[0:0:0:0:0:FFFF:127.0.0.1]',
      '0',
      '0.0.0.0',
    ],
  ])('judges the spelling %s as the address that it is', (host) => {
    expect(allows(`https://${host}/`)).toBe(false)
  })

  // SEC-15
  test('takes ports of web servers; others only where a rule names host and port', () => {
    for (const port of [80, 443, 8443, 8080, 40_000])
      expect(allows(`https://example.com:${port}/`), `${port}`).toBe(true)
    for (const port of [22, 25, 110, 6379, 5432, 3306, 2375, 11_211, 27_017]) {
      expect(allows(`https://example.com:${port}/`), `${port}`).toBe(false)
      expect(allows(`http://127.0.0.1:${port}/`, '127.0.0.0/8'), `${port}`).toBe(false)
      expect(allows(`http://127.0.0.1:${port}/`, `127.0.0.1:${port}`), `${port}`).toBe(true)
    }
  })

  // SEC-14
  test('opens no link-local or metadata address, whatever the rules say', () => {
    for (const host of ['169.254.169.254', '[fe80::1]', '168.63.129.16', '100.100.100.200', '[::ffff:a9fe:a9fe]'])
      expect(allows(`http://${host}/`, '0.0.0.0/0', '::/0'), host).toBe(false)
    expect(allows('http://10.0.0.1/', '0.0.0.0/0')).toBe(true)
  })
})

describe('the guard while connecting', () => {
  // SEC-7
  test('judges every answer of a look-up, and one that is refused refuses all', async () => {
    const { port, seen } = await listen()
    const url = `http://hook.example:${port}/`
    for (const list of [['10.0.0.1'], ['127.0.0.1', '10.0.0.1'], ['10.0.0.1', '127.0.0.1'], ['127.0.0.1', '::1']])
      expect(await poster(rules('127.0.0.0/8'), answering(list).resolve)(url), list.join()).toEqual(blocked)
    expect(seen.connections).toBe(0)
    expect(await poster(rules('127.0.0.0/8'), answering(['127.0.0.1']).resolve)(url)).toMatchObject({ status: 204 })
    expect(seen.connections).toBe(1)
  })

  // SEC-7, SEC-11
  test('judges again at each connection: a name that changes its address is refused then', async () => {
    const { port, seen } = await listen()
    const { resolve, asked } = answering(['127.0.0.1'], ['10.0.0.1'])
    const post = poster(rules('127.0.0.0/8'), resolve)
    const url = `http://hook.example:${port}/`
    expect(await post(url)).toMatchObject({ status: 204 })
    expect(await post(url)).toEqual(blocked)
    expect([asked.length, seen.connections]).toEqual([2, 1])
  })

  // SEC-7
  test('judges what the socket is really connected to, before the first byte', async () => {
    const { port, seen } = await listen()
    let asked = 0
    const own = (): ListeningAddress[] => (asked++ === 0 ? [] : [{ host: '127.0.0.1', port }])
    const post = poster({ ...rules('127.0.0.0/8'), own }, answering(['127.0.0.1']).resolve)
    expect(await post(`http://hook.example:${port}/`)).toEqual(blocked)
    expect([asked, seen.bytes]).toEqual([2, 0])
  })

  // SEC-3
  test('connects to nothing private without a rule, by name or by address', async () => {
    const { port, seen } = await listen()
    const post = poster(rules(), answering(['127.0.0.1']).resolve)
    expect(await post(`https://hook.example:${port}/`)).toEqual(blocked)
    expect(await post(`https://127.0.0.1:${port}/`)).toEqual(blocked)
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual(blocked)
    expect(seen.connections).toBe(0)
  })

  // SEC-14
  test('a rule with host and port opens this name at this port and nothing else', async () => {
    const [one, other] = [await listen(), await listen()]
    const { resolve } = answering(['127.0.0.1'])
    const post = poster(rules(`crm.internal:${one.port}`), resolve)
    expect(await post(`http://crm.internal:${one.port}/`)).toMatchObject({ status: 204 })
    expect(await post(`http://crm.internal:${other.port}/`)).toEqual(blocked)
    expect(await post(`http://other.internal:${one.port}/`)).toEqual(blocked)
    expect(await post(`http://127.0.0.1:${one.port}/`)).toEqual(blocked)
    expect(
      await poster(rules('crm.internal:80'), answering(['169.254.169.254']).resolve)('http://crm.internal/'),
    ).toEqual(blocked)
  })

  // SEC-12
  test('fails closed when the name has no address', async () => {
    const none: Resolve = (_host, _options, done) => done(null, [])
    const unknown: Resolve = (_host, _options, done) => done(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), [])
    for (const resolve of [none, unknown])
      expect(await poster(rules('0.0.0.0/0'), resolve)('https://hook.example/')).toEqual({
        kind: 'failed',
        failure: 'dns',
      })
  })

  // SEC-16
  test('reaches no address where this process listens', async () => {
    const { port, seen } = await listen()
    const at = (host: string) => poster({ ...rules('127.0.0.0/8'), own: () => [{ host, port }] })
    for (const host of ['127.0.0.1', '0.0.0.0', '::', 'localhost'])
      expect(await at(host)(`http://127.0.0.1:${port}/`), host).toEqual(blocked)
    expect(await at('127.0.0.2')(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 204 })
    expect(seen.connections).toBe(1)
  })

  // SEC-10
  test('takes no proxy from the environment', async () => {
    const [target, proxy] = [await listen(), await listen()]
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']
    const before = names.map((name) => process.env[name])
    cleanups.push(() =>
      names.forEach((name, index) => {
        if (before[index] === undefined) delete process.env[name]
        else process.env[name] = before[index]
      }),
    )
    for (const name of names) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${proxy.port}`
    expect(await poster(rules('127.0.0.0/8'))(`http://127.0.0.1:${target.port}/`)).toMatchObject({ status: 204 })
    expect(proxy.seen.connections).toBe(0)
  })

  // SEC-10
  test('goes through the proxy of the rules, which judges names; literals and ports are judged here too', async () => {
    const target = await listen()
    const asked: string[] = []
    const proxy = createHttpServer().on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url!)
      if (!request.url!.startsWith('hook.example')) return socket.end('HTTP/1.1 407 Request rejected by proxy\r\n\r\n')
      const onward = connect(target.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      socket.on('error', () => onward.destroy()).pipe(onward)
      return onward.on('error', () => socket.destroy()).pipe(socket)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => proxy.close())
    const through = { host: '127.0.0.1', port: (proxy.address() as { port: number }).port }
    const never: Resolve = () => expect.unreachable('the proxy resolves')
    const post = poster({ ...rules('hook.example:80', 'other.example:80', '127.0.0.0/8'), proxy: through }, never)
    expect(await post('http://hook.example/')).toMatchObject({ status: 204 })
    expect(await post('http://other.example/')).toEqual(blocked)
    for (const url of ['https://10.0.0.1/', 'https://hook.example:22/', 'http://third.example/'])
      expect(await post(url), url).toEqual(blocked)
    expect(await post('https://hook.example/')).toEqual({ kind: 'failed', failure: 'tls' })
    expect(asked).toEqual(['hook.example:80', 'other.example:80', 'hook.example:443'])
    expect(target.seen.connections).toBe(2)
    proxy.close()
    const gone = poster({ allow: [], proxy: { host: '127.0.0.1', port: 1 } }, never)
    expect(await gone('https://hook.example/')).toEqual({ kind: 'failed', failure: 'refused' })
  })

  // SEC-13
  test('answers the same, and as fast, for open and closed ports of a refused host', async () => {
    const { port } = await listen()
    const post = poster(rules(), answering(['127.0.0.1']).resolve)
    const timed = async (url: string) => {
      const began = performance.now()
      expect(await post(url)).toEqual(blocked)
      return performance.now() - began
    }
    await timed(`https://warm.example:${port}/`)
    for (const url of [`https://a.example:${port}/`, 'https://b.example:9999/', `https://127.0.0.1:${port}/`])
      expect(await timed(url)).toBeLessThan(50)
  })
})
