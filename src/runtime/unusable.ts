import { AppError } from '../core/errors.ts'

/** What is asked of a pipeline before it is open. */
export function notOpen(doing: string): AppError {
  return new AppError('state-conflict', `${doing} failed: the pipeline is not open; call open() or start() first`)
}

/** What is asked of a pipeline that does not come back. */
export function wasStopped(doing: string): Promise<never> {
  return Promise.reject(new AppError('stopping', `${doing} the pipeline failed: it was stopped; make a new one`))
}
