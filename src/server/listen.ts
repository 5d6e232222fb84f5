import type { Server } from 'node:http'
import { AppError, messageOf } from '../core/errors.ts'

export interface ListenAt {
  readonly host: string
  readonly port: number
}

/** Resolves when the server listens there; throws `address-unavailable` when it cannot. */
export function listen(server: Server, at: ListenAt): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => reject(addressUnavailable(at, cause))
    server.once('error', onError)
    server.listen(at.port, at.host.replace(/^\[(.*)\]$/, '$1'), () => {
      server.off('error', onError)
      resolve()
    })
  })
}

/** Says why nothing can listen at an address, and what to do. `holder`: what is known of who listens there. */
export function addressUnavailable(
  { host, port }: ListenAt,
  cause: NodeJS.ErrnoException,
  holder = 'another process',
): AppError {
  const message = `the server was not started on ${host}:${port}: ${whyNot(cause, holder)}`
  return new AppError('address-unavailable', message, { cause })
}

function whyNot(cause: NodeJS.ErrnoException, holder: string): string {
  switch (cause.code) {
    case 'EADDRINUSE':
      return `${holder} listens there already. Stop it, or choose another port (PORT, server.port)`
    case 'EACCES':
      return 'this user may not listen on that port. Choose one above 1023 (PORT, server.port)'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address. Choose another (server.host)'
    default:
      return messageOf(cause)
  }
}
