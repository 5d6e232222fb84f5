import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Event, type EventRecord } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { createPluginContext, deliveryOf, recordingLog } from '../testing/index.ts'
import { type Desktop, linuxArguments, macOsRequest, notifierOf, windowsRequest } from './desktop/notifier.ts'
import { missingPrograms, openSession, type Session } from './desktop/session.test-support.ts'
import { noticeOf } from './desktop/text.ts'
import { desktop, desktopOn } from './desktop.ts'

const notice = (data: unknown, more: Partial<EventRecord> = {}, length = 220) =>
  noticeOf(
    new Event({
      source: 's',
      id: '1',
      type: 'file.added',
      sequence: 1,
      appendedAt: 0,
      data: JSON.stringify(data),
      ...more,
    }),
    length,
  )

describe('what a notification says', () => {
  // S0-31
  it('is the type, and below it the subject and at most three values that people read first, in order', () => {
    const data = { status: 'new', total: 5, description: 'd', name: 'n', subject: 's', title: 't', summary: '' }
    expect(notice(data, { subject: 'order-7' })).toEqual({ title: 'file.added', body: 'entity=order-7 | t | s | n' })
    expect(notice({ action: 1, snippet: false, message: { deep: 1 } }).body).toBe('false | 1')
    expect(notice('just text').body).toBe('just text')
    for (const nothing of [null, 5, [1], { other: 1 }])
      expect(notice(nothing)).toEqual({ title: 'file.added', body: '' })
    expect(noticeOf(new Event({ source: 's', id: '1', type: 't', sequence: 1, appendedAt: 0 }), 220).body).toBe('')
  })

  // S0-31, SEC-67
  it('is cut to 220 characters, or as many as wanted, never inside one', () => {
    expect([...notice({ title: '😀'.repeat(500) }).body]).toHaveLength(220)
    expect(notice({ title: 'abcdefghijklmnopqrstuvwxyz' }, {}, 20).body).toBe('abcdefghijklmnopqrs…')
    expect(notice({ title: 'x' }, { type: 'a'.repeat(255) }).title.length).toBeLessThanOrEqual(256)
  })

  // SEC-67
  it('has no markup and no characters that control or reorder text', () => {
    const nasty =
      '<b>bold</b> <a href="http://evil">link</a>\n\u001b[31mred\u202egnp.exe\u0000 <img src=x onerror=1> 1 < 2'
    expect(notice({ title: nasty }, { subject: '<i>o</i>\u2066' }).body).toBe(
      'entity=o | bold link [31mredgnp.exe 1 < 2',
    )
    expect(notice({ title: '<b'.repeat(500_000) }).body).toHaveLength(220)
  })
})

describe('how it is shown', () => {
  const shown = { title: '-t "title" $(id)', body: 'a & b < c \\033[31m “é”' }

  // SEC-67
  it('on Linux by notify-send, the texts after -- and the body escaped for its two little languages', () => {
    expect(linuxArguments(shown)).toEqual([
      '--app-name=Millrace',
      '--',
      shown.title,
      'a &amp; b &lt; c \\\\033[31m “é”',
    ])
  })

  // SEC-67
  it('on macOS by osascript, a script that never changes on standard input and the texts as arguments', () => {
    expect(macOsRequest(shown)).toEqual({
      args: ['-', shown.title, shown.body],
      input: 'on run argv\n  display notification (item 2 of argv) with title (item 1 of argv)\nend run\n',
    })
  })

  // SEC-67
  it('on Windows by PowerShell, a script that never changes as an argument and the texts on standard input', () => {
    const { args, input } = windowsRequest(shown)
    expect(args.slice(0, 4)).toEqual(['-NoLogo', '-NoProfile', '-NonInteractive', '-Command'])
    expect(args).toEqual(windowsRequest({ title: 'other', body: '' }).args)
    expect(args.join(' ')).not.toMatch(/EncodedCommand|"/)
    expect(input).toMatch(/^[ -~]+$/)
    expect(JSON.parse(input)).toEqual(shown)
  })
})

function sinkOn(machine: Desktop) {
  const { declaration } = desktopOn(() => machine)
  return declaration.create(declaration.options.parse({}), { directory: '/', platform: nodePlatform })
}

const contextOf = (log = recordingLog()) => ({
  ...createPluginContext({ name: 'screen', log }),
  signal: new AbortController().signal,
})

async function show(
  sink: ReturnType<typeof sinkOn>,
  context: ReturnType<typeof contextOf>,
  record: Partial<EventRecord> = {},
): Promise<Outcome | undefined> {
  return (await sink.deliver([deliveryOf(1, record)], context))?.[0]
}

describe('where nothing can be shown', () => {
  const path = process.env['PATH'] ?? ''
  it.each<[string, Desktop, RegExp]>([
    ['another system', { platform: 'aix', env: {} }, /aix/],
    [
      'no program',
      { platform: 'linux', env: { PATH: '/nowhere', DBUS_SESSION_BUS_ADDRESS: 'x' } },
      /notify-send is not installed/,
    ],
    ['no osascript', { platform: 'darwin', env: {} }, /osascript/],
    ['no PowerShell', { platform: 'win32', env: { SystemRoot: '/nowhere' } }, /powershell/],
  ])('(%s) the sink says so once and discards', async (_, machine, problem) => {
    // S0-31, G27
    const log = recordingLog()
    const context = contextOf(log)
    const sink = sinkOn(machine)
    await sink.open?.(context)
    for (let n = 0; n < 3; n++) expect(await show(sink, context)).toMatchObject({ outcome: 'discard' })
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).toMatchObject({ level: 'warn', message: expect.stringMatching(problem) })
    await sink.close?.()
  })

  it.skipIf(missingPrograms().length > 0)('needs a session of a desktop on Linux', () => {
    expect(notifierOf({ platform: 'linux', env: { PATH: path } })).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/D-Bus/),
    })
    expect(notifierOf({ platform: 'linux', env: { PATH: path, XDG_RUNTIME_DIR: '/nowhere' } }).ok).toBe(false)
  })

  // G27
  it.skipIf(missingPrograms().length > 0)(
    'a failure is told once and rests, so that it is no storm of processes',
    async () => {
      const log = recordingLog()
      let nowMs = 0
      const context = { ...contextOf(log), clock: { now: () => 0, monotonic: () => nowMs } }
      const sink = sinkOn({
        platform: 'linux',
        env: { PATH: path, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' },
      })
      const reasons = []
      for (nowMs of [0, 1, 59_999, 60_001]) reasons.push((await show(sink, context))?.reason)
      expect(reasons[0]).toMatch(/was not shown: exit code 1/)
      expect(reasons.slice(1, 3)).toEqual(Array(2).fill('notifications have just failed'))
      expect(reasons[3]).toMatch(/was not shown/)
      expect(log.lines).toHaveLength(1)
      await sink.close?.()
    },
  )
})

const missing = missingPrograms()
const isRequired = Boolean(process.env['CI'] || process.env['MILLRACE_CI'])

describe.runIf(process.platform === 'linux' && (missing.length === 0 || isRequired))(
  'on a real desktop of Linux',
  () => {
    let session: Session
    beforeAll(async () => {
      if (missing.length > 0) throw new Error(`this machine lacks ${missing.join(', ')}`)
      session = await openSession()
    })
    afterAll(() => session?.close())

    // S0-31, SEC-67
    it('the daemon gets the title and the body, and nothing of them is taken for options, markup or escapes', async () => {
      const sink = sinkOn({ platform: 'linux', env: session.env })
      const context = contextOf()
      await sink.open?.(context)
      const data = JSON.stringify({ title: 'a <b>b</b> & "c" $(id) `id` \\033[31m \\n', status: '--urgency=low' })
      expect(await show(sink, context, { data, subject: 'order-7', type: '-x.y' })).toBeUndefined()
      expect(await show(sink, context, { data: '{"message":"second"}' })).toBeUndefined()
      await sink.close?.()
      const [first, second] = await session.shown()
      expect(first).toEqual({
        appname: 'Millrace',
        summary: '-x.y',
        // Markup of the body is resolved by the daemon when it draws.
        body: 'entity=order-7 | a b &amp; "c" $(id) `id` \\033[31m \\n | --urgency=low',
      })
      expect(second).toMatchObject({ summary: 'order.placed', body: 'second' })
    })
  },
)

// A skip must not look like a pass.
if (process.platform === 'linux' && missing.length > 0 && !isRequired)
  it('on a real desktop of Linux', ({ skip }) => skip(`this machine lacks ${missing.join(', ')}`))

it('the sink looks at this machine unless told otherwise', () => {
  expect(desktop.declaration.options.parse({})).toEqual({ maxBodyLength: 220 })
})
