import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packBelow, userEnvironment } from './packed.ts'

/** What this suite installs beside the package, in these versions and no others. */
const versions = {
  jest: '30.5.2',
  next: '16.4.6',
  react: '19.3.1',
  'react-dom': '19.3.1',
  // What Next checks types with.
  typescript: '6.0.3',
  '@types/node': '24.19.2',
  '@types/react': '19.3.0',
} as const

export interface Running {
  readonly child: ChildProcess
  /** Its exit code; null when it was killed, also for taking more than two minutes. */
  readonly ended: Promise<number | null>
  text(): string
}

/** An application of a user in a folder of its own, with the packed package and others from the registry. */
export interface Application {
  readonly path: string
  /** Starts a script of an installed package with Node. */
  start(argv: readonly string[], env?: Readonly<Record<string, string>>): Running
  /** Ends what still runs and removes the folder. */
  close(): Promise<void>
}

/** Packs the package and installs it with others. Throws, saying what to do, when the registry does not give them. */
export async function openApplication(packages: readonly (keyof typeof versions)[]): Promise<Application> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-elsewhere-')))
  const path = join(folder, 'app')
  const running: Running[] = []
  const close = async (): Promise<void> => {
    for (const { child } of running) child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    mkdirSync(path)
    writeFileSync(join(path, 'package.json'), '{ "private": true, "type": "module" }')
    await install(path, [packBelow(folder), ...packages.map((name) => `${name}@${versions[name]}`)])
  } catch (error) {
    await close()
    throw error
  }
  const start: Application['start'] = (argv, env) => {
    const child = spawn(process.execPath, argv, {
      cwd: path,
      env: { ...userEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
      killSignal: 'SIGKILL',
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part))
    const ended = new Promise<number | null>((done) => child.once('close', done))
    running.push({ child, ended, text: () => text })
    return running.at(-1)!
  }
  return { path, start, close }
}

async function install(path: string, packages: readonly string[]): Promise<void> {
  const options = { cwd: path, env: userEnvironment() }
  // npm looks for a folder to install into in its environment too, where `npm run` has put ours.
  const flags = ['--prefix', path, '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund']
  // A registry that cannot be reached is told within seconds.
  const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=1000']
  try {
    await promisify(execFile)('npm', ['install', ...flags, ...patience, ...packages], { ...options, timeout: 300_000 })
  } catch (error) {
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry'], options)
    const said = (error as { stderr?: string }).stderr?.split('\n').filter((line) => line.startsWith('npm error'))
    throw new Error(
      `npm install of ${packages.slice(1).join(' ')} and the dependencies of millrace from ${stdout.trim()} failed: ` +
        `${said?.slice(0, 4).join('; ') || String(error)}. This suite runs real programs from the npm registry: ` +
        'connect this machine to it, or name a mirror in npm_config_registry, and run it again.',
      { cause: error },
    )
  }
}
