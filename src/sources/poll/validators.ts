import type { Platform } from '../../core/platform.ts'
import type { SourceContext } from '../../plugin/source.ts'
import type { PollOptions } from './options.ts'
import type { PageRequest } from './request.ts'

/** What a server said of the version of a page, kept so that an unchanged one need not be sent again. */
export interface Validators {
  /** Headers that make the request conditional; none when this very request was not answered before. */
  headersFor(request: PageRequest): Promise<readonly string[]>
  /** Called after the page's commit: what is kept before it would hide the page when the commit fails. */
  keep(request: PageRequest, headers: Readonly<Record<string, string>>): Promise<void>
  /** Called when the page was one of several: that it is unchanged says nothing of the others. */
  forget(): Promise<void>
}

interface Kept {
  readonly request: string
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
}

const stateKey = 'validators'
const longest = 1_024

/** Keeps ETag and Last-Modified of the latest answer in the source's own state. */
export function createValidators(
  options: PollOptions,
  { digest }: Platform,
  state: SourceContext['state'],
): Validators {
  // Other options may make other events of the same answer, so it must be read again.
  const settings = JSON.stringify(options)
  const keyOf = ({ method, url, body }: PageRequest) => digest(JSON.stringify([method, url.href, body, settings]))
  let known: Kept | undefined | 'unread' = 'unread'
  const read = async (): Promise<Kept | undefined> => {
    if (known === 'unread') known = keptOf(await state.get(stateKey))
    return known
  }
  return {
    async headersFor(request) {
      const kept = await read()
      if (kept === undefined || kept.request !== keyOf(request)) return []
      const { etag, lastModified } = kept
      return [
        ...(etag === undefined ? [] : ['if-none-match', etag]),
        ...(lastModified === undefined ? [] : ['if-modified-since', lastModified]),
      ]
    },
    async keep(request, headers) {
      const kept = {
        request: keyOf(request),
        etag: short(headers['etag']),
        lastModified: short(headers['last-modified']),
      }
      if (kept.etag === undefined && kept.lastModified === undefined) return this.forget()
      const before = await read()
      if (before?.request === kept.request && before.etag === kept.etag && before.lastModified === kept.lastModified)
        return
      known = kept
      await state.set(stateKey, JSON.stringify(kept))
    },
    async forget() {
      if ((await read()) === undefined) return
      known = undefined
      await state.delete(stateKey)
    },
  }
}

function short(value: string | undefined): string | undefined {
  return value !== undefined && value !== '' && value.length <= longest && /^[\t\x20-\x7e]+$/.test(value)
    ? value
    : undefined
}

function keptOf(text: string | undefined): Kept | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Kept
  } catch {
    return undefined
  }
}
