import { filesBelow, textOf } from './files.ts'

/** A code block of a page. */
export interface Snippet {
  readonly page: string
  readonly line: number
  readonly language: string
  readonly text: string
  /** The block that follows directly, when it is ```text: what the code prints. */
  readonly prints?: string | undefined
}

/** Every page that people read, without the generated ones. */
export const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'ARCHITECTURE.md',
  'bench/README.md',
  ...filesBelow('docs', '.md'),
  ...filesBelow('examples', '.md'),
].filter((path) => !path.startsWith('docs/reference/') && path !== 'docs/requirements.md')

/** The code blocks of one page, in order. */
export function snippetsIn(page: string, text: string): Snippet[] {
  const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
  return blocks.map((match, index) => {
    const next = blocks[index + 1]
    const isFollowed = next?.[1] === 'text' && !text.slice(match.index + match[0].length, next.index).includes('\n#')
    return {
      page,
      line: text.slice(0, match.index).split('\n').length,
      language: match[1]!,
      text: match[2]!,
      prints: isFollowed ? next[2] : undefined,
    }
  })
}

/** The code blocks of all pages. */
export function snippets(): Snippet[] {
  return pages.flatMap((page) => snippetsIn(page, textOf(page)))
}
