import { AppError } from '../../core/errors.ts'
import { resultText } from '../admit.ts'
import { asyncApi } from '../asyncapi.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { echo, problem } from '../problem.ts'
import { recorded } from '../recorded.ts'

/** `POST /v1/quarantined/{sequence}/redrive`: the original is stored as if it came now. */
export async function redriveQuarantined(call: Call): Promise<Answer> {
  const { pipeline } = call.context
  const [text = ''] = call.params
  const sequence = Number(text)
  if (!/^\d{1,16}$/.test(text) || sequence < 1 || !Number.isSafeInteger(sequence))
    throw new AppError('bad-request', `the sequence in the address is not a whole number above 0: ${echo(text)}`)
  const result = await recorded(
    call,
    'quarantined.redriven',
    () => pipeline.redriveQuarantined(sequence),
    ({ status }) => ({ sequence, status }),
  )
  if (result.status === 'conflict')
    return problem('event-conflict', 'another event with this source and id is stored by now', { ...result })
  const body = resultText(result, `,"durability":"${result.durability}"`)
  return { status: result.status === 'duplicate' ? 200 : 201, type: 'application/json', body }
}

export async function readAsyncApi({ context }: Call): Promise<Answer> {
  const { pipeline, version } = context
  return json(asyncApi(version, pipeline.eventSchemas, await pipeline.subscriptions()))
}
