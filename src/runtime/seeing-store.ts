import type { Store } from '../plugin/store.ts'
import type { Upcasting } from './upcasting.ts'

/** The store as a subscription sees it: events that are read come in the versions that it is given. */
export function seeingStore(store: Store, see: Upcasting): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'read') return async (...given: Parameters<Store['read']>) => (await target.read(...given)).map(see)
      if (name === 'readMany')
        return async (...given: Parameters<Store['readMany']>) => (await target.readMany(...given)).map(see)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
