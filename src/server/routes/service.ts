import { AppError, type ErrorCode, errorCodes } from '../../core/errors.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { metricsText } from '../metrics.ts'
import { openApi } from '../openapi.ts'
import { echo, problemType } from '../problem.ts'

export async function readAudit({ context }: Call): Promise<Answer> {
  return json(await context.pipeline.audit())
}

export function readMetrics({ context }: Call): Answer {
  return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metricsText(context) }
}

export function livez(): Answer {
  return json({ status: 'ok' })
}

/** Not ready as soon as draining begins. What is wrong is told to those who may read only. */
export async function readyz({ context, caller }: Call): Promise<Answer> {
  const { ready, problems, loops, warnings } = context.draining.aborted
    ? { ready: false, problems: ['the server is stopping'], loops: {}, warnings: undefined }
    : await context.pipeline.health()
  const detail = caller.scopes.has('read') ? { problems, warnings, loops } : {}
  return json({ status: ready ? 'ok' : 'unavailable', ...detail }, ready ? 200 : 503)
}

export function readOpenApi({ context }: Call): Answer {
  return json(openApi(context.version))
}

/** Where the `type` of a problem leads. */
export function readError({ params }: Call): Answer {
  const [code = ''] = params
  if (!Object.hasOwn(errorCodes, code)) throw new AppError('not-found', `there is no error code ${echo(code)}`)
  const known = code as ErrorCode
  return json({ type: problemType(known), code, ...errorCodes[known] })
}
