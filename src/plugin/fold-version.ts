import type { SubscriptionPlan } from './pipeline-config.ts'

/**
 * Which version of its stages and of what it reads makes what a subscription keeps; undefined where that does not follow
 * from the log alone: only where every stage folds or is pure, and nothing is sent.
 */
export function foldVersionOf({ policy, stages, sink }: SubscriptionPlan): string | undefined {
  const versions = stages.flatMap(({ foldVersion }) => foldVersion ?? [])
  const follows = stages.every(({ foldVersion, isPure }) => foldVersion !== undefined || isPure)
  if (versions.length === 0 || !follows || sink !== undefined) return undefined
  const { match, from, where, pins = {} } = policy
  const parts = [versions.join(', '), `of ${[...match].sort().join(' ')}`]
  if (from !== undefined) parts.push(`from ${[...from].sort().join(' ')}`)
  if (where !== undefined) parts.push(`where ${where.text}`)
  const pinned = Object.entries(pins).map(([type, version]) => `${type} ${version}`)
  if (pinned.length > 0) parts.push(`at ${pinned.sort().join(', ')}`)
  return parts.join(' ')
}
