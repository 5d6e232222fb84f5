import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { SourceBatch, SourceContext } from '../plugin/source.ts'
import { cron } from './cron.ts'

type Options = Parameters<typeof cron>[0]
type Event = SourceBatch['events'][number]

/** A store and a wall clock that outlive the process that `run` stands for. Time passes in sleep only. */
function createWorld(options: Options, start: string) {
  const { declaration } = cron(options)
  const stored = new Map<string, Event>()
  const logged: string[] = []
  let now = Date.parse(start)
  let cursor: string | undefined
  let doubles = 0
  const commit = (batch: SourceBatch): void => {
    for (const event of batch.events) {
      if (stored.has(event.id)) doubles++
      else stored.set(event.id, event)
    }
    cursor = batch.cursor ?? cursor
  }
  return {
    times: () => [...stored.values()].map(({ time }) => time),
    events: () => [...stored.values()],
    logged,
    doubles: () => doubles,
    now: () => now,
    cursor: () => cursor,
    /** Down until then, or the clock is set to it. */
    setClock(text: string) {
      now = Date.parse(text)
    },
    /** Runs until the clock shows `until`; `crashes` says whether the process dies before it commits a batch. */
    async run(until: string, { crashes = () => false, jumps }: { crashes?: () => boolean; jumps?: () => void } = {}) {
      const end = Date.parse(until)
      const controller = new AbortController()
      const context = {
        name: 'nightly',
        clock: { now: () => now, monotonic: () => now },
        signal: controller.signal,
        log: { warn: (message: string) => void logged.push(message) },
        async sleep(ms: number) {
          now += ms
          jumps?.()
          if (now > end) {
            now = Math.max(end, now - ms)
            controller.abort()
          }
          return !controller.signal.aborted
        },
      } as unknown as SourceContext
      const source = declaration.create(declaration.options.parse(options), { directory: '/', platform: nodePlatform })
      for await (const batch of source.read(cursor, context)) {
        if (crashes()) return
        commit(batch)
      }
    },
  }
}

describe('the source cron', () => {
  it('makes one event at each moment, named by source and moment', async () => {
    const world = createWorld(
      { schedule: '*/5 * * * *', eventType: 'report.due', subject: 'daily', data: { kind: 'full' } },
      '2026-01-01T00:02:10Z',
    )
    await world.run('2026-01-01T00:16:00Z')
    expect(world.events()).toEqual(
      ['00:05', '00:10', '00:15'].map((at) => ({
        id: `nightly@2026-01-01T${at}:00.000Z`,
        type: 'report.due',
        subject: 'daily',
        time: `2026-01-01T${at}:00.000Z`,
        data: { kind: 'full' },
      })),
    )
  })

  it('is on time to the second with six fields', async () => {
    const world = createWorld({ schedule: '*/10 * * * * *' }, '2026-01-01T00:00:00.500Z')
    await world.run('2026-01-01T00:00:35Z')
    expect(world.times()).toEqual(['10', '20', '30'].map((at) => `2026-01-01T00:00:${at}.000Z`))
  })

  // S0-13
  it('a restart at any moment, also one before a commit, makes no event twice and leaves none out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.boolean()), { maxLength: 12 }),
        async (runs) => {
          const world = createWorld({ schedule: '* * * * *', missed: 'all', maxMissed: 1000 }, '2026-01-01T00:00:30Z')
          await world.run('2026-01-01T00:00:31Z')
          for (const [seconds, dies] of runs) {
            const until = new Date(world.now() + seconds * 1000).toISOString()
            await world.run(until, { crashes: () => dies })
            // Killed, and down for as long again.
            world.setClock(new Date(Date.parse(until) + seconds * 1000).toISOString())
          }
          await world.run(new Date(world.now() + 1).toISOString())
          const minutes = Math.floor((world.now() - Date.parse('2026-01-01T00:00:00Z')) / 60_000)
          const expected = Array.from({ length: minutes }, (_, n) =>
            new Date(Date.UTC(2026, 0, 1, 0, n + 1)).toISOString(),
          )
          expect(world.times()).toEqual(expected)
          expect(world.doubles()).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  describe('after it was down', () => {
    const down = async (options: Partial<Options>) => {
      const world = createWorld({ schedule: '0 * * * *', ...options } as Options, '2026-01-01T00:30:00Z')
      await world.run('2026-01-01T01:30:00Z')
      world.setClock('2026-01-01T05:30:00Z')
      await world.run('2026-01-01T06:30:00Z')
      return { times: world.times().map((time) => String(time).slice(11, 13)), logged: world.logged }
    }

    it.each([
      ['skip', {}, ['01', '06']],
      ['one', { missed: 'one' }, ['01', '05', '06']],
      ['all', { missed: 'all' }, ['01', '02', '03', '04', '05', '06']],
      ['all, at most two', { missed: 'all', maxMissed: 2 }, ['01', '04', '05', '06']],
    ] as const)('makes up for missed moments: %s', async (_, options, hours) => {
      expect((await down(options)).times).toEqual(hours)
    })

    it('says when it leaves moments out, and only then', async () => {
      expect((await down({ missed: 'all' })).logged).toEqual([])
      expect((await down({ missed: 'one' })).logged).toEqual([])
      expect((await down({ missed: 'all', maxMissed: 2 })).logged).toEqual([expect.stringContaining('left out')])
      expect((await down({})).logged).toEqual([expect.stringContaining('left out')])
    })

    it('keeps a moment that is late by less than the grace, whatever missed says', async () => {
      const world = createWorld({ schedule: '0 * * * *', grace: '2m' }, '2026-01-01T00:30:00Z')
      await world.run('2026-01-01T00:31:00Z')
      world.setClock('2026-01-01T01:01:30Z')
      await world.run('2026-01-01T01:02:00Z')
      expect(world.times()).toEqual(['2026-01-01T01:00:00.000Z'])
    })

    it('knows that a moment before the very first event was missed', async () => {
      const world = createWorld({ schedule: '0 3 * * *', missed: 'one' }, '2026-01-01T12:00:00Z')
      await world.run('2026-01-01T12:01:00Z')
      world.setClock('2026-01-02T06:00:00Z')
      await world.run('2026-01-02T06:01:00Z')
      expect(world.times()).toEqual(['2026-01-02T03:00:00.000Z'])
    })

    it('makes up for a year of seconds without counting them', async () => {
      const world = createWorld(
        { schedule: '* * * * * *', missed: 'all', maxMissed: 3, grace: '1s' },
        '2026-01-01T00:00:00Z',
      )
      await world.run('2026-01-01T00:00:00Z')
      world.setClock('2027-01-01T00:00:00Z')
      await world.run('2027-01-01T00:00:00Z')
      expect(world.times().map((time) => String(time).slice(11, 19))).toEqual([
        '23:59:57',
        '23:59:58',
        '23:59:59',
        '00:00:00',
      ])
    })
  })

  describe('when the clocks change', () => {
    const times = async (options: Options, start: string, end: string) => {
      const world = createWorld(options, start)
      await world.run(end)
      return world.times()
    }

    it('a time of day that does not exist comes at the first moment after the gap', async () => {
      const options = { schedule: '30 2 * * *', timezone: 'Europe/Berlin' }
      expect(await times(options, '2026-03-27T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
        '2026-03-28T01:30:00.000Z',
        '2026-03-29T01:00:00.000Z',
        '2026-03-30T00:30:00.000Z',
      ])
    })

    it('a time of day that exists twice comes once', async () => {
      const options = { schedule: '30 2 * * *', timezone: 'Europe/Berlin' }
      expect(await times(options, '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
        '2026-10-25T00:30:00.000Z',
        '2026-10-26T01:30:00.000Z',
      ])
    })

    it('a pattern with a step goes on through both hours, each moment with an id of its own', async () => {
      const options = { schedule: '*/30 * * * *', timezone: 'Europe/Berlin' }
      expect(await times(options, '2026-10-24T23:45:00Z', '2026-10-25T02:10:00Z')).toEqual([
        '2026-10-25T00:00:00.000Z',
        '2026-10-25T00:30:00.000Z',
        '2026-10-25T01:00:00.000Z',
        '2026-10-25T01:30:00.000Z',
        '2026-10-25T02:00:00.000Z',
      ])
    })
  })

  describe('when somebody sets the clock', () => {
    it('back: goes on from there, and what comes again is a duplicate', async () => {
      const world = createWorld({ schedule: '0 * * * *' }, '2030-01-01T00:30:00Z')
      await world.run('2030-01-01T02:30:00Z')
      world.setClock('2030-01-01T00:45:00Z')
      await world.run('2030-01-01T03:30:00Z')
      expect(world.times().map((time) => String(time).slice(11, 13))).toEqual(['01', '02', '03'])
      expect(world.doubles()).toBe(2)
    })

    it('back while it waits: does not wait for the far future', async () => {
      let isSet = false
      const world = createWorld({ schedule: '0 * * * *' }, '2040-01-01T00:30:00Z')
      const jumps = () => {
        if (!isSet) world.setClock('2026-01-01T00:10:00Z')
        isSet = true
      }
      await world.run('2026-01-01T01:10:00Z', { jumps })
      expect(world.times()).toEqual(['2026-01-01T01:00:00.000Z'])
    })

    it('forward while it waits: notices within half a minute', async () => {
      const world = createWorld({ schedule: '0 3 * * *' }, '2026-01-01T00:00:00Z')
      let isSet = false
      const jumps = () => {
        if (!isSet) world.setClock('2026-01-01T03:00:20Z')
        isSet = true
      }
      await world.run('2026-01-01T03:00:40Z', { jumps })
      expect(world.times()).toEqual(['2026-01-01T03:00:00.000Z'])
    })
  })

  it('ends when the pipeline stops', async () => {
    const world = createWorld({ schedule: '0 3 * * *' }, '2026-01-01T00:00:00Z')
    await world.run('2026-01-01T00:00:01Z')
    expect(world.cursor()).toBe('2026-01-01T00:00:00.000Z')
  })

  it('a cursor that another source left behind is no cursor', async () => {
    const { declaration } = cron({ schedule: '* * * * *' })
    const source = declaration.create(declaration.options.parse({ schedule: '* * * * *' }), {
      directory: '/',
      platform: nodePlatform,
    })
    const context = {
      name: 'n',
      clock: { now: () => 0, monotonic: () => 0 },
      signal: new AbortController().signal,
    } as SourceContext
    const first = await source.read('{"value":7}', context)[Symbol.asyncIterator]().next()
    expect(first.value).toEqual({ events: [], cursor: '1970-01-01T00:00:00.000Z' })
  })

  it.each([
    [{ schedule: 'at noon' }, 'schedule', /not a cron pattern: write five fields/],
    [{ schedule: '0 0 30 2 *' }, 'schedule', /never comes/],
    [{ schedule: '2026-12-24T18:00:00' }, 'schedule', /single date/],
    [{ schedule: '* * * * *', timezone: 'Mars/Olympus' }, 'timezone', /not a time zone/],
    [{ schedule: '* * * * *', eventType: 'a..b' }, 'eventType', /empty segment/],
    [{ schedule: '* * * * *', eventType: 'millrace.dead' }, 'eventType', /belong to the engine/],
    [{ schedule: '* * * * *', grace: 5 }, 'grace', /no unit/],
  ])('%j is a problem of the configuration', (given, path, message) => {
    const { error } = cron.declaration.options.safeParse(given)
    expect(error?.issues[0]).toMatchObject({ path: [path], message: expect.stringMatching(message) })
  })
})
