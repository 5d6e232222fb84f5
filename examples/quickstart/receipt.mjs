// Writes a receipt for the order on standard input. Twice does no harm: the same order makes the same file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const { id, subject = id, data } = JSON.parse(readFileSync(0, 'utf8'))
if (typeof data?.total !== 'number') {
  console.error(`${subject} has no total`)
  process.exit(65) // never try again: dead letter
}
const file = process.argv[2]
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, `Receipt for ${subject}: ${data.total.toFixed(2)}\n`)
