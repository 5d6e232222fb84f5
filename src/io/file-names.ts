/** Names that programs use while they write, and hidden ones. */
export function isUnfinished(name: string): boolean {
  return name.startsWith('.') || name.endsWith('~') || /\.(tmp|temp|part|partial|filepart|crdownload|swp)$/i.test(name)
}
