import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { BodyMessage } from './body-message.ts'

/** A server with these messages, and a connection to it. */
async function served(answer: (message: BodyMessage, response: ServerResponse) => void) {
  const server = createServer({ IncomingMessage: BodyMessage }, answer as never)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  onTestFinished(async () => {
    socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return socket
}

function received(socket: Socket, end: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let all = ''
    socket.on('data', (part) => {
      all += part.toString()
      if (end.test(all)) resolve(all)
    })
  })
}

const head = (more: string) => `POST / HTTP/1.1\r\nHost: x\r\n${more}\r\n\r\n`

function wholeOf(message: BodyMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    message.on('error', reject)
    message.giveTo({ part: (bytes) => parts.push(bytes), end: () => resolve(Buffer.concat(parts).toString()) })
  })
}

test('the taker gets every part in order and then the end, and the connection goes on', async () => {
  const seen: string[][] = []
  const socket = await served((message, response) => {
    const parts: string[] = []
    seen.push(parts)
    message.giveTo({
      part: (bytes) => parts.push(bytes.toString()),
      end: () => response.end(`took ${parts.join('')}.`),
    })
  })
  const first = received(socket, /took one two\./)
  socket.write(`${head('Transfer-Encoding: chunked')}4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n`)
  await first
  const second = received(socket, /took three\..*took four\./s)
  // Two at once: the second waits in the parser's hands while the first is answered.
  socket.write(`${head('Content-Length: 5')}three${head('Content-Length: 4')}four`)
  await second
  expect(seen).toEqual([['one ', 'two'], ['three'], ['four']])
})

test('one that is taken late is whole, whether all of it was there or some is still to come', async () => {
  const socket = await served((message, response) => {
    setImmediate(() => void wholeOf(message).then((body) => response.end(`took ${body}.`)))
  })
  socket.write(`${head('Content-Length: 8')}together`)
  await received(socket, /took together\./)
  socket.write(`${head('Content-Length: 10')}half `)
  setImmediate(() => setImmediate(() => socket.write('later')))
  await received(socket, /took half later\./)
})

test('what comes after the taker left is a stream, and one that nobody takes is a stream from the start', async () => {
  const socket = await served((message, response) => {
    if (message.headers['x-stream'] === undefined) {
      message.giveTo({ part: () => message.leave(), end: () => response.end('never') })
    }
    void text(message).then((rest) => response.end(`rest ${rest}.`))
  })
  socket.write(`${head('Transfer-Encoding: chunked')}3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n`)
  await received(socket, /rest two\./)
  socket.write(`${head('X-Stream: 1\r\nContent-Length: 3')}all`)
  await received(socket, /rest all\./)
})

test('no body at all ends at once', async () => {
  const socket = await served(
    (message, response) => void wholeOf(message).then((body) => response.end(`took ${body}.`)),
  )
  socket.write(head('Content-Length: 0'))
  await received(socket, /took \./)
})

test('one that is cut off fails as any message does, and never ends', async () => {
  const failed = new Promise<unknown>((resolve) => {
    void served((message) => void wholeOf(message).catch(resolve)).then((socket) => {
      socket.write(`${head('Content-Length: 10')}half`)
      setImmediate(() => socket.destroy())
    })
  })
  expect(await failed).toMatchObject({ code: 'ECONNRESET' })
})
