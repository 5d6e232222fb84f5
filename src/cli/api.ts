import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError, type ErrorCode, errorCodes, messageOf } from '../core/errors.ts'
import { pipelineFromPlan } from '../pipeline.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { KeyEnvironment } from '../plugin/secret-keys.ts'
import type { Store } from '../plugin/store.ts'
import { builtInCatalogue } from '../registry.ts'
import type { Pipeline } from '../runtime/api.ts'
import { createHandler, scopes, type Token, tokenHash } from '../server/index.ts'
import type { CliIo } from './io.ts'
import { cliLog } from './log.ts'
import { readOnlyPipeline } from './read-only.ts'
import {
  adminTokenPath,
  type CommonOptions,
  findPlace,
  type Place,
  readSettings,
  type Settings,
  urlOf,
} from './settings.ts'

/** The HTTP API, of a running server or of the store itself: commands speak one language to both. */
export interface Api {
  /** `the server at http://…` or `the store …`, for people. */
  readonly where: string
  /** The pipeline, when no server is between. */
  readonly pipeline: Pipeline | undefined
  /** Answers the JSON body; throws the server's problem as an error with its code. */
  call<T>(method: Method, path: string, body?: unknown): Promise<T>
  /** The same with a text of another type, answering the text. */
  text(method: Method, path: string, body?: string, contentType?: string): Promise<string>
  close(): Promise<void>
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export type Access = 'read' | 'write'

const probeMs = 1_500

/** Talks to the server of this configuration when it runs, else opens the store. */
async function connect(io: CliIo, options: CommonOptions, access: Access): Promise<Api> {
  const place = findPlace(io, options.config)
  if (await isThere(place.url)) return remoteApi(io, place)
  const settings = await readSettings(io, options)
  // A module or a variable may say another address than the loose look found.
  const { host, port } = settings.plan.server
  const url = urlOf(host, port)
  if (url !== place.url && (await isThere(url))) return remoteApi(io, { url, tokenPath: adminTokenPath(settings) })
  return localApi(io, settings, access, url)
}

/** Runs a command on the API and closes it whatever happens. */
export async function withApi<T>(
  io: CliIo,
  options: CommonOptions,
  access: Access,
  run: (api: Api) => Promise<T>,
): Promise<T> {
  const api = await connect(io, options, access)
  try {
    return await run(api)
  } finally {
    await api.close()
  }
}

/** True when a Millrace server answers there; any other program on that port is not one. */
export async function isThere(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(probeMs)
    const { request } = await import('undici')
    const { statusCode, body } = await request(`${url}/livez`, { signal })
    const answer: unknown = JSON.parse(await body.text())
    return statusCode === 200 && (answer as { status?: unknown } | null)?.status === 'ok'
  } catch {
    return false
  }
}

function remoteApi(io: CliIo, { url, tokenPath }: Place): Api {
  const own = io.env[tokenVariable]
  const token = own ?? readToken(tokenPath)
  const text: Api['text'] = async (method, path, body, contentType = 'application/json') => {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': contentType }),
    }
    const options = { method, headers, ...(body !== undefined && { body }) }
    const { request } = await import('undici')
    const answer = await request(`${url}${path}`, options).catch((error: unknown) => {
      throw new AppError(
        'server-unreachable',
        `the server at ${url} broke off: ${messageOf(error)}. Look at its log, and try again when it answers.`,
        { cause: error },
      )
    })
    const answered = await answer.body.text()
    try {
      return checked(answer.statusCode, answered)
    } catch (error) {
      throw withTokenHint(error, url, own === undefined ? tokenPath : undefined)
    }
  }
  return {
    where: `the server at ${url}`,
    pipeline: undefined,
    text,
    call: (method, path, body) => callBy(text, method, path, body),
    close: async () => undefined,
  }
}

/** Another token than that of the administrator. */
const tokenVariable = 'MILLRACE_TOKEN'

function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

function withTokenHint(error: unknown, url: string, path: string | undefined): unknown {
  if (!(error instanceof AppError) || error.code !== 'unauthorized') return error
  if (path === undefined)
    return new AppError(
      'unauthorized',
      `the server at ${url} did not take the token in ${tokenVariable}: ${error.message}`,
    )
  return new AppError(
    'unauthorized',
    `the server at ${url} did not take the admin token of ${path}: ${error.message}. Is it the server of this configuration, and may you read that file?`,
  )
}

async function localApi(io: CliIo, settings: Settings, access: Access, url: string): Promise<Api> {
  const pipeline = await (access === 'read' ? openForReading(settings, url) : openForWriting(io, settings, url))
  const adminToken = nodePlatform.digest(nodePlatform.id())
  const token: Token = { name: 'cli', hash: tokenHash(adminToken), scopes }
  const handler = createHandler(pipeline, {
    limits: settings.plan.limits,
    mask: settings.plan.server.mask,
    tokens: [token, ...settings.plan.server.tokens],
  })
  const text: Api['text'] = async (method, path, body, contentType = 'application/json') => {
    const headers = {
      authorization: `Bearer ${io.env[tokenVariable] ?? adminToken}`,
      ...(body !== undefined && { 'content-type': contentType }),
    }
    const options = { method, headers, ...(body !== undefined && { body }) }
    const answer = await handler(new Request(`http://127.0.0.1${path}`, options))
    return checked(answer.status, await answer.text())
  }
  return {
    where: `the store ${storePath(settings) ?? settings.plan.store.declaration.name}`,
    pipeline,
    text,
    call: (method, path, body) => callBy(text, method, path, body),
    close: () => pipeline.stop(),
  }
}

async function callBy<T>(text: Api['text'], method: Method, path: string, body: unknown): Promise<T> {
  const answer = await text(method, path, body === undefined ? undefined : JSON.stringify(body))
  return (answer === '' ? undefined : JSON.parse(answer)) as T
}

async function openForWriting(io: CliIo, settings: Settings, url: string): Promise<Pipeline> {
  requireFile(settings, url)
  const pipeline = pipelineFromPlan(settings.plan, {
    directory: settings.directory,
    log: cliLog(io, 'error'),
    catalogue: builtInCatalogue,
    env: io.env as Partial<KeyEnvironment>,
  })
  try {
    await pipeline.open()
    return pipeline
  } catch (error) {
    await pipeline.stop().catch(() => undefined)
    if (!(error instanceof AppError) || error.code !== 'store-locked') throw error
    throw new AppError(
      'store-locked',
      `${error.message} No server answers at ${url}: if another port was chosen, say so with PORT; if the process is a program that embeds the pipeline, do this in that program, or stop it first.`,
      { cause: error },
    )
  }
}

async function openForReading(settings: Settings, url: string): Promise<Pipeline> {
  return readOnlyPipeline(await openStoreForReading(settings, url), settings.plan)
}

/** Opens the store of a configuration beside whoever else has it open; it cannot be written through this. */
export async function openStoreForReading(settings: Settings, url: string): Promise<Store> {
  requireFile(settings, url)
  const { plan, directory } = settings
  const path = storePath(settings)
  if (path !== undefined && !existsSync(path)) {
    throw new AppError(
      'store-unopenable',
      `there is no store yet: ${path} does not exist. Start the pipeline with "millrace run", or publish something.`,
    )
  }
  const options = { ...(plan.store.options as object), readOnly: true }
  return plan.store.declaration.open(options, { directory, platform: nodePlatform })
}

/** A store without a file lives in its process and can be reached through its server only. */
function requireFile(settings: Settings, url: string): void {
  if (storePath(settings) !== undefined) return
  throw new AppError(
    'server-unreachable',
    `nothing was done: no server answers at ${url}, and the store of ${settings.file} (${settings.plan.store.declaration.name}) lives only inside its process. Start it with "millrace run".`,
  )
}

/** The absolute path of the store's file; undefined when it has none. */
export function storePath({ plan, directory }: Settings): string | undefined {
  const path = (plan.store.options as { readonly path?: unknown } | undefined)?.path
  return typeof path === 'string' ? resolve(directory, path) : undefined
}

/** The text of an answer that went well; a problem becomes the error that it describes. */
function checked(status: number, text: string): string {
  if (status < 400) return text
  let problem: { type?: unknown; title?: unknown; detail?: unknown } = {}
  try {
    problem = JSON.parse(text) as typeof problem
  } catch {
    // Not from us, or cut: only the status is known.
  }
  const { type, title, detail, ...facts } = problem
  if (typeof type !== 'string') throw new AppError('internal', `the server answered with HTTP status ${status}`)
  const code = type.split('/').at(-1) ?? ''
  const known = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal'
  throw new AppError(known, String(detail ?? title ?? code), { facts })
}
