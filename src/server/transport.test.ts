import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { openTestServer, sendRaw } from './server.test-support.ts'

// SEC-39
test('no TLS is offered: a client that begins with it is refused, and the server goes on', async () => {
  const { port, call } = await openTestServer()
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
  await expect(once(socket, 'secureConnect')).rejects.toThrow()
  expect((await call('/livez')).status).toBe(200)
})

// SEC-39
test('no HTTP/2 is spoken: neither by its preface nor by an upgrade, so that it cannot be flooded with resets', async () => {
  const { port, server, call } = await openTestServer()
  expect(await sendRaw(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toMatch(/^HTTP\/1\.1 [45]\d\d /)
  const client = connectHttp2(server.url)
  await expect(once(client, 'remoteSettings')).rejects.toThrow()
  client.destroy()
  const upgrade = `GET /livez HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`
  expect(await sendRaw(port, upgrade)).toMatch(/^HTTP\/1\.1 (200|4\d\d) /)
  expect((await call('/livez')).status).toBe(200)
})
