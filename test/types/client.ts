import { createClient, type PublishResult } from 'millrace/client'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

const client = createClient<{ 'order.placed': { total: number }; 'shop.opened': undefined; 'any.thing': unknown }>({
  url: 'http://127.0.0.1:7117',
  source: 'shop',
})

export const one: Promise<PublishResult> = client.publish({ type: 'order.placed', data: { total: 1 } })
export const many: Promise<readonly PublishResult[]> = client.publish([
  { type: 'order.placed', id: '1', source: 'web', data: { total: 1 }, notBefore: new Date() },
  { type: 'shop.opened', subject: 'shop-1' },
  { type: 'any.thing', data: 'text' },
])
// @ts-expect-error a type that is not declared
void client.publish({ type: 'order.lost' })
// @ts-expect-error data of another type
void client.publish({ type: 'order.placed', data: { total: '1' } })
// @ts-expect-error data is missing
void client.publish({ type: 'order.placed' })
// @ts-expect-error this one has no data
void client.publish({ type: 'shop.opened', data: 1 })

const open = createClient({ url: 'http://127.0.0.1:7117' })
export const free: Promise<PublishResult> = open.publish({ type: 'whatever', data: { a: 1 }, meta: { b: 2 } })
export const none: Promise<PublishResult> = open.publish({ type: 'whatever' })
