import { expect, test } from 'vitest'
import { openPort } from './port.ts'

// S1-43
test('a thread that dies leaves it open what became of the calls under way, and says to all later ones that the store is closed', async () => {
  const port = openPort('reader', null)
  await expect(port.call('anything')).rejects.toMatchObject({ code: 'store-indeterminate' })
  await expect(port.call('anything')).rejects.toMatchObject({ code: 'store-closed' })
})
