/**
 * Whole numbers as text: differences, and how often each repeats. `7 8 9 10 20` is `7 1*3 10`, so that numbers in a row
 * cost the same however many they are.
 */
export function encodeRuns(numbers: readonly number[]): string {
  const parts: string[] = []
  let before = 0
  let step = Number.NaN
  let count = 0
  const flush = (): void => {
    if (count > 0) parts.push(count === 1 ? `${step}` : `${step}*${count}`)
  }
  for (const number of numbers) {
    const difference = number - before
    before = number
    if (difference === step) {
      count += 1
      continue
    }
    flush()
    step = difference
    count = 1
  }
  flush()
  return parts.join(' ')
}

/** What `encodeRuns` made. */
export function decodeRuns(text: string): number[] {
  const numbers: number[] = []
  if (text === '') return numbers
  let last = 0
  for (const part of text.split(' ')) {
    const [step = 0, count = 1] = part.split('*').map(Number)
    for (let i = 0; i < count; i++) {
      last += step
      numbers.push(last)
    }
  }
  return numbers
}
