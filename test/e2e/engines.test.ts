import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, textOf } from '../repo/files.ts'

const { engines } = JSON.parse(textOf('package.json')) as { engines: { node: string } }

/** Runs `millrace list` on a Node that says it is this version. */
function listOn(version: string) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  return spawnSync(
    process.execPath,
    [
      ...['--import', `data:text/javascript,${encodeURIComponent(pretend)}`],
      ...['--conditions=millrace-source', join(root, 'bin/millrace.js'), 'list'],
    ],
    { encoding: 'utf8' },
  )
}

// SEC-85
test.each(['18.20.8', '20.20.2', '22.99.0', '24.14.99'])(
  'on Node %s nothing starts, and it says what is needed',
  (version) => {
    const { status, stdout, stderr } = listOn(version)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`needs Node ${engines.node.replace('>=', '')} or newer; this is Node ${version}`)
  },
)

test.each(['24.15.0', '25.0.0', '26.3.1'])('on Node %s it runs', (version) => {
  expect(listOn(version)).toMatchObject({ status: 0, stderr: '' })
})
