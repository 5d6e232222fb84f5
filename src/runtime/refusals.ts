import { AppError } from '../core/errors.ts'
import { nearest } from '../core/issues.ts'
import type { Lane } from './lane.ts'

/** What to say to who names a subscription that is not there. */
export function unknownSubscription(name: string, known: readonly string[]): AppError {
  const near = known.length > mostCompared ? undefined : nearest(name, known)
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return new AppError('subscription-unknown', `there is no subscription ${name}.${hint} There are: ${listed(known)}`)
}

/** With thousands of names, looking for the nearest one would be work that anybody can ask for. */
const mostCompared = 1000
const mostListed = 20

function listed(names: readonly string[]): string {
  if (names.length <= mostListed) return names.join(', ') || 'none'
  return `${names.slice(0, mostListed).join(', ')} and ${names.length - mostListed} more`
}

/** What to say to who wants of a subscription what only another type of sink has. */
export function otherSink({ name, setup }: Lane, doing: string, type: string): AppError {
  return new AppError(
    'state-conflict',
    `${doing} ${name} failed: its sink is ${setup.sinkName ?? 'none'}, and this needs one of type ${type}`,
  )
}

/** What to say to who wants to replay to clients that fetch, or what only folds. */
export function noReplay(name: string, { foldVersion }: { readonly foldVersion?: string | undefined }): AppError {
  if (foldVersion !== undefined)
    return new AppError(
      'state-conflict',
      `replaying ${name} failed: it is a projection, in which every event counts once; what it keeps is made again with a rebuild`,
    )
  return new AppError(
    'state-conflict',
    `replaying ${name} failed: its clients fetch from it. Make another pull subscription that starts where the replay would, and let them fetch from that`,
  )
}
