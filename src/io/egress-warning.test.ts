import { expect, test } from 'vitest'
import { formatIssue } from '../core/issues.ts'
import { createCatalogue } from '../plugin/catalogue.ts'
import { checkPipeline } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { poll } from '../sources/poll.ts'
import { sse } from '../sources/sse.ts'
import { memory } from '../stores/memory.ts'

const catalogue = createCatalogue([memory, poll, sse])

function warningsOf(type: string, url: string, ...allow: string[]): string[] {
  const config = { store: { type: 'memory' }, egress: { allow }, sources: { orders: { type, url } } }
  const checked = checkPipeline(config, catalogue, { directory: '/', platform: nodePlatform })
  if (!checked.ok) throw new Error(checked.issues.map(formatIssue).join())
  return checked.warnings.map(formatIssue)
}

// SEC-11
test.each(['poll', 'sse'])('check warns of a source %s whose address the egress rules refuse', (type) => {
  for (const url of [
    'http://127.0.0.1:7118/canary',
    'https://10.0.0.1/canary',
    'http://api.example.com/',
    'https://a.example:6379/',
  ])
    expect(warningsOf(type, url), url).toEqual([
      expect.stringMatching(/^sources\.orders\.url: the egress rules refuse this address, so that nothing can be read/),
    ])
  const [warning] = warningsOf(type, 'http://127.0.0.1:7118/canary')
  expect(warning).toMatch(/put "127\.0\.0\.1:7118" into egress\.allow to open it$/)
  expect(warning).not.toContain('canary')
  expect(warningsOf(type, 'http://169.254.169.254/')).toEqual([expect.stringMatching(/no rule opens it$/)])
  expect(warningsOf(type, 'http://127.0.0.1:7118/', '127.0.0.1:7118')).toEqual([])
  expect(warningsOf(type, 'https://api.example.com/')).toEqual([])
})
