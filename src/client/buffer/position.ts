import { lineOf, textOf } from './lines.ts'
import { nodeModules } from './node.ts'

/** How far a buffer has been sent, in a small file beside it. Losing it costs only that events are sent twice. */
export interface PositionFile {
  /** What was written last, for a buffer of this generation; undefined when there is nothing that can be read. */
  read(generation: string): Promise<number | undefined>
  write(generation: string, offset: number): Promise<void>
  close(): Promise<void>
}

/** Offsets are padded, so that every writing is as long as the one before and replaces all of it. */
const digits = 16

export async function openPosition(path: string): Promise<PositionFile> {
  const { fs } = nodeModules()
  const handle = await fs.open(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  return {
    async read(generation) {
      const line = (await handle.readFile('latin1')).trimEnd()
      const [of, offset] = textOf(Buffer.from(line, 'latin1'))?.split(' ') ?? []
      return of === generation ? Number(offset) : undefined
    },
    async write(generation, offset) {
      await handle.write(lineOf(`${generation} ${String(offset).padStart(digits, '0')}`), 0, undefined, 0)
    },
    close: () => handle.close(),
  }
}
