import { expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import type { Delivery } from '../plugin/sink.ts'
import { createPluginContext } from './plugin-context.ts'
import { recordingSink } from './recording-sink.ts'
import { createVirtualPlatform } from './virtual-platform.ts'

const around = { directory: '.', platform: createVirtualPlatform() }
const deliveryOf = (sequence: number): Delivery => ({
  event: new Event({ source: 's', id: String(sequence), type: 't', sequence, appendedAt: 0 }),
  attempt: 1,
  messageId: `msg_${sequence}`,
  context: {},
})

test('a recording sink remembers what it was given and acknowledges it', async () => {
  const use = recordingSink()
  const sink = use.declaration.create(use.options, around)
  expect(await sink.deliver([deliveryOf(3)], createPluginContext())).toEqual([{ outcome: 'ack' }])
  expect(use.sequences).toEqual([3])
  expect(use.received[0]?.messageId).toBe('msg_3')
})

test('a recording sink answers as it was told, for each delivery', async () => {
  const use = recordingSink({
    outcomes: ({ event }) => (event.sequence === 2 ? { outcome: 'reject', reason: 'two' } : undefined),
  })
  const sink = use.declaration.create(use.options, around)
  const outcomes = await sink.deliver([deliveryOf(1), deliveryOf(2)], createPluginContext())
  expect(outcomes).toEqual([{ outcome: 'ack' }, { outcome: 'reject', reason: 'two' }])
})
