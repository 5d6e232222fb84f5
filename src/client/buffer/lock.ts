import { AppError, messageOf } from '../../core/errors.ts'
import { nodeModules } from './node.ts'

/** Says that a file is this process's own; the system takes it back when the process ends, however it ends. */
export interface Lock {
  /** False when another process took it for abandoned. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/** What an address of a socket may hold on every system. */
const longestAddress = 100
const settleMs = 25

/**
 * Takes the lock of a file: a socket that listens beside it. Whether its owner lives is asked by connecting, so that a
 * `kill -9` leaves nothing that has to be removed by hand, also where processes cannot see one another (containers).
 */
export async function takeLock(file: string): Promise<Lock> {
  const { fs } = nodeModules()
  const address = await addressOf(file)
  for (let attempt = 0; attempt < 5; attempt++) {
    const server = await listen(address, file)
    if (server !== undefined) return lockOf(server, address)
    if (await isTaken(address)) break
    await fs.rm(address, { force: true })
  }
  throw new AppError(
    'state-conflict',
    `the buffer ${file} was not opened: another process has it; give each process a file of its own`,
  )
}

async function lockOf(server: Server, address: string): Promise<Lock> {
  const { fs } = nodeModules()
  const identity = async (): Promise<string | undefined> => {
    if (process.platform === 'win32') return address
    const found = await fs.stat(address, { bigint: true }).catch(() => undefined)
    return found && `${found.dev} ${found.ino}`
  }
  const own = await identity()
  const isHeld = async (): Promise<boolean> => own !== undefined && (await identity()) === own
  return {
    isHeld,
    async release() {
      // Closing removes what is at the address, also what is another's.
      if (await isHeld()) await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Asked twice: it may have been made a moment ago, and not listen yet. */
async function isTaken(address: string): Promise<boolean> {
  if (await answers(address)) return true
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  return answers(address)
}

type Server = ReturnType<ReturnType<typeof nodeModules>['net']['createServer']>

/** Undefined when something is there already. */
function listen(address: string, file: string): Promise<Server | undefined> {
  const { net } = nodeModules()
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy())
    server.unref()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(new AppError('config-invalid', `the buffer ${file} cannot be locked: ${messageOf(error)}`))
    })
    server.listen(address, () => resolve(server))
  })
}

function answers(address: string): Promise<boolean> {
  const { net } = nodeModules()
  return new Promise((resolve) => {
    const socket = net.connect(address)
    const end = (isThere: boolean): void => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => end(true))
    // Only a refusal says that nobody listens; whatever else is wrong, somebody may.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}

async function addressOf(file: string): Promise<string> {
  const { fs, os, path, crypto } = nodeModules()
  const whole = path.join(await fs.realpath(path.dirname(file)), path.basename(file))
  const name = `millrace-${crypto.createHash('sha256').update(whole).digest('hex').slice(0, 32)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  const beside = `${whole}.lock`
  return Buffer.byteLength(beside) <= longestAddress ? beside : path.join(os.tmpdir(), `${name}.lock`)
}
