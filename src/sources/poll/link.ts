const target = /\s*<([^<>]*)>([^,]*(?:,(?!\s*<)[^,]*)*)/y
const nextRelation = /;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i

/** The URL that a header `Link` names as the next page (RFC 8288); undefined when it names none. */
export function nextLink(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 16_384) return undefined
  target.lastIndex = 0
  for (let match = target.exec(header); match !== null; match = target.exec(header)) {
    const [, url, parameters] = match
    if (nextRelation.test(parameters!)) return url
    if (header[target.lastIndex] === ',') target.lastIndex += 1
  }
  return undefined
}
