import { existsSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'undici'
import { AppError, type ErrorCode, errorCodes, messageOf } from '../core/errors.ts'
import { pipelineFromPlan } from '../pipeline.ts'
import type { Pipeline } from '../runtime/api.ts'
import { createHandler } from '../server/index.ts'
import type { CliIo } from './io.ts'
import { cliLog } from './log.ts'
import { adminTokenPath, readSettings, type Settings } from './settings.ts'

/** The HTTP API, of a running server or of the store itself: commands speak one language to both. */
export interface Api {
  /** `server http://…` or `store …`, for people. */
  readonly where: string
  /** The pipeline, when no server is between. */
  readonly pipeline: Pipeline | undefined
  readonly settings: Settings
  /** Answers the JSON body; throws the server's problem as an error with its code. */
  call<T>(method: 'GET' | 'POST', path: string, body?: string, contentType?: string): Promise<T>
  close(): Promise<void>
}

type Access = 'read' | 'write'

const probeMs = 1500

/** Talks to the server of this configuration when it runs, else opens the store. */
export async function connect(io: CliIo, config: string | undefined, access: Access): Promise<Api> {
  const settings = await readSettings(io, config)
  const url = serverUrl(settings)
  if (await isThere(url)) return remoteApi(settings, url)
  return localApi(io, settings, access)
}

/** Runs a command on the API and closes it whatever happens. */
export async function withApi<T>(io: CliIo, config: string | undefined, access: Access, run: (api: Api) => Promise<T>): Promise<T> {
  const api = await connect(io, config, access)
  try {
    return await run(api)
  } finally {
    await api.close()
  }
}

function serverUrl({ plan: { server } }: Settings): string {
  const host = server.host === '0.0.0.0' || server.host === '::' ? '127.0.0.1' : server.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
}

async function isThere(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await httpRequest(`${url}/livez`, { headersTimeout: probeMs, bodyTimeout: probeMs, signal: AbortSignal.timeout(probeMs) })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

function remoteApi(settings: Settings, url: string): Api {
  const path = adminTokenPath(settings)
  const token = existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return {
    where: `server ${url}`,
    pipeline: undefined,
    settings,
    async call(method, at, body, contentType = 'application/json') {
      const headers = body === undefined ? authorization : { ...authorization, 'content-type': contentType }
      const answer = await httpRequest(`${url}${at}`, { method, headers, ...(body === undefined ? {} : { body }) }).catch((error: unknown) => {
        throw new AppError('server-unreachable', `asking the server at ${url} failed: ${messageOf(error)}`, { cause: error })
      })
      return read(answer.statusCode, await answer.body.text())
    },
    close: async () => undefined,
  }
}

async function localApi(io: CliIo, settings: Settings, access: Access): Promise<Api> {
  const pipeline = await openStore(io, settings, access)
  const adminToken = pipeline.store.incarnation
  const handler = createHandler(pipeline, { limits: settings.plan.limits, adminToken })
  return {
    where: `store ${storePath(settings)}`,
    pipeline,
    settings,
    async call(method, at, body, contentType = 'application/json') {
      const headers = { authorization: `Bearer ${adminToken}`, ...(body === undefined ? {} : { 'content-type': contentType }) }
      const answer = await handler(new Request(`http://127.0.0.1${at}`, { method, headers, ...(body === undefined ? {} : { body }) }))
      return read(answer.status, await answer.text())
    },
    close: () => pipeline.stop(),
  }
}

async function openStore(io: CliIo, settings: Settings, access: Access): Promise<Pipeline> {
  const { plan, directory } = settings
  if (plan.store.declaration.name === 'memory') {
    throw new AppError('server-unreachable', `no server answers at ${serverUrl(settings)}, and a memory store can be reached only through its server; start it with millrace run`)
  }
  const options = { directory, log: cliLog(io, 'error') }
  const pipeline = pipelineFromPlan(plan, options)
  try {
    await pipeline.open()
    return pipeline
  } catch (error) {
    const isLocked = error instanceof AppError && error.code === 'store-locked'
    if (!isLocked || access === 'write') throw error
    const readOnly = { ...plan, store: { ...plan.store, options: { ...(plan.store.options as object), readOnly: true } } }
    const reader = pipelineFromPlan(readOnly, options)
    await reader.open()
    return reader
  }
}

export function storePath({ plan }: Settings): string {
  return (plan.store.options as { readonly path?: string } | undefined)?.path ?? plan.store.declaration.name
}

function read<T>(status: number, text: string): T {
  const body: unknown = text === '' ? undefined : JSON.parse(text)
  const isProblem = status >= 400 && typeof body === 'object' && body !== null && 'type' in body && 'title' in body
  if (!isProblem) return body as T
  const { type, title, detail, ...facts } = body as { type: string; title: string; detail?: string; status?: number }
  const code = type.split(/[/:]/).at(-1) ?? ''
  throw new AppError(Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal', detail ?? title, { facts })
}
