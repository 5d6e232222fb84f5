import { relative, resolve } from 'node:path'
import { hasLedger } from '../plugin/pipeline-config.ts'
import type { CliIo } from './io.ts'
import type { Settings } from './settings.ts'

/** A heading and the lines below it. */
export interface Invitation {
  readonly title: string
  readonly lines: readonly string[]
}

const json = "-H 'content-type: application/json'"

/** What a person can do from another terminal with the pipeline that runs at `url`: each line can be pasted into a shell. */
export function invitations(io: CliIo, settings: Settings, url: string, command: (text: string) => string) {
  return [
    publishing(url),
    dropping(io, settings),
    reading(settings, url),
    fetching(settings, url),
    asking(settings, command),
  ].filter((each) => each !== undefined)
}

function publishing(url: string): Invitation {
  const event = '{"source":"shop","id":"1","type":"order.placed","subject":"order-1","data":{"total":120}}'
  return {
    title: 'Publish an event:',
    lines: [`curl -X POST ${url}/v1/events ${json} -w '\\n' \\`, `  -d '${event}'`],
  }
}

/** A watched folder is the other way in that a person can try at once. */
function dropping(io: CliIo, { plan, directory }: Settings): Invitation | undefined {
  const inbox = plan.sources.find(({ declaration }) => declaration.name === 'directory')
  if (inbox === undefined) return undefined
  const { path } = inbox.options as { readonly path: string }
  const folder = relative(io.cwd, resolve(directory, path)) || '.'
  return {
    title: 'Or drop a file:',
    lines: [`echo '{"source":"shop","id":"2","type":"order.shipped","subject":"order-1"}' > ${folder}/two.ndjson`],
  }
}

function reading({ plan }: Settings, url: string): Invitation | undefined {
  const view = plan.subscriptions.find(({ sink }) => sink?.declaration.served === 'view')
  if (view === undefined) return undefined
  return {
    title: 'Watch them arrive:',
    lines: [`curl -N '${url}/v1/subscriptions/${view.policy.name}/stream?after=0'`],
  }
}

function fetching({ plan }: Settings, url: string): Invitation | undefined {
  const found = plan.subscriptions.find(({ sink }) => sink?.declaration.served === 'batches')
  if (found === undefined) return undefined
  const batches = `${url}/v1/subscriptions/${found.policy.name}/batches`
  return {
    title: 'Fetch a batch, and confirm it:',
    lines: [
      `batch=$(curl -s ${batches} ${json} -d '{"wait":"10s"}'); printf '%s\\n' "$batch"`,
      `field() { printf '%s' "$batch" | grep -o "\\"$1\\":\\"[^\\"]*\\"" | head -n 1 | cut -d '"' -f 4; }`,
      `curl -s "${batches}/$(field batch)/confirm" ${json} -d "{\\"receipt\\":\\"$(field receipt)\\"}" -w '\\n'`,
    ],
  }
}

function asking({ plan }: Settings, command: (text: string) => string): Invitation {
  const kept = plan.subscriptions.filter(hasLedger)
  // Where something is sent out, something can be refused.
  const dead = kept.find(({ sink }) => sink?.declaration.name === 'webhook') ?? kept.at(-1)
  const questions = [
    ['events', 'search the log; tail follows it'],
    ['explain 1', 'where event 1 is and why'],
    ['subscriptions', 'state and lag'],
    ...(dead === undefined ? [] : [[`dead list ${dead.policy.name}`, 'what was given up, and why']]),
    ['audit', 'does every event have one end?'],
  ] as const
  const lines = questions.map(([text, what]) => [command(text), what] as const)
  const width = Math.max(...lines.map(([text]) => text.length))
  return { title: 'Look at it:', lines: lines.map(([text, what]) => `${text.padEnd(width)}  ${what}`) }
}
