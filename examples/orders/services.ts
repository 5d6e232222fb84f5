// The far sides of the shop: a warehouse and a bank. Each does a thing once for a key, however often it is asked.
import { StepRejected } from 'millrace/stages/saga'

const answers = new Map<string, unknown>()

function once<T>(idempotencyKey: string, does: () => T): T {
  if (!answers.has(idempotencyKey)) answers.set(idempotencyKey, does())
  return answers.get(idempotencyKey) as T
}

const chairs = { left: 5 }

export const warehouse = {
  reserve: (order: string, count: number, key: string) =>
    once(key, () => {
      if (count > chairs.left) throw new StepRejected(`only ${chairs.left} chairs are left`)
      chairs.left -= count
      console.log(`${order}: the warehouse reserves ${count}`)
      return { count }
    }),
  release: (order: string, count: number, key: string) =>
    once(key, () => {
      chairs.left += count
      console.log(`${order}: the warehouse takes ${count} back`)
    }),
  ship: (order: string, key: string) =>
    once(key, () => {
      console.log(`${order}: a parcel is on its way`)
      return { parcel: `parcel of ${order}` }
    }),
}

export const bank = {
  /** A card that is declined had no effect; an answer that does not come may have had one, and is no `StepRejected`. */
  charge: (order: string, amount: number, key: string) =>
    once(key, () => {
      if (amount > 1000) throw new StepRejected('the card was declined')
      console.log(`${order}: the bank charges ${amount}`)
      return { payment: `payment of ${order}`, amount }
    }),
  refund: (order: string, key: string) =>
    once(key, () => {
      console.log(`${order}: the bank pays back`)
    }),
}
