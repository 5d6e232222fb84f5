import type { Readable } from 'node:stream'
import type { Log } from '../../core/platform.ts'
import { readLines } from '../../io/line-reader.ts'

const linesPerSecond = 10
const maxLineBytes = 2048

/** Hands what a program says of itself to the log, some lines a second; the others are counted. The log escapes them. */
export async function logErrors(stream: Readable, name: string, log: Log, now: () => number): Promise<void> {
  let second = 0
  let count = 0
  let leftOut = 0
  const tellLeftOut = (): void => {
    if (leftOut > 0) log.warn(`the program of source ${name} wrote more lines of errors than are shown`, { leftOut })
    leftOut = 0
  }
  try {
    for await (const lines of readLines(stream, { maxLineBytes })) {
      for (const line of lines) {
        const thisSecond = Math.floor(now() / 1000)
        if (thisSecond !== second) {
          tellLeftOut()
          second = thisSecond
          count = 0
        }
        if (++count > linesPerSecond) leftOut += 1
        else log.warn(`source ${name}: ${line.kind === 'text' ? line.text : `a line that is ${line.problem}`}`)
      }
    }
  } catch {
    // The stream is cut when the program is ended.
  }
  tellLeftOut()
}
