import { millraceAppend } from './append-batch.ts'
import type { Question } from './harness.ts'

export const question: Question = {
  ask: 'Does appending slow down as the log grows? (batches of 1,000 random ids up to 10 million events; the first million against the last)',
  isLong: true,
  variants: { millrace: (context) => millraceAppend(context.size(10_000_000, 500_000))(context) },
  targets: [
    {
      says: 'loss of rate, last tenth against first',
      value: (of) => Math.max(0, 1 - of['millrace']!['lastTenthPerSecond']! / of['millrace']!['firstTenthPerSecond']!),
      at: 'most',
      goal: 0.25,
    },
  ],
}
