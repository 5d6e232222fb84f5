import { millraceAppend } from './append-batch.ts'
import type { Question } from './harness.ts'

export const question: Question = {
  ask: 'Does appending slow down as the log grows? (batches of 1,000 random ids up to 10 million events; the first million against the last)',
  isLong: true,
  variants: { millrace: (context) => millraceAppend(context.size(10_000_000, 500_000))(context) },
  targets: [
    {
      says: 'rate of the last tenth, as a share of the first',
      value: (of) => of['millrace']!['lastTenthPerSecond']! / of['millrace']!['firstTenthPerSecond']!,
      at: 'least',
      goal: 0.75,
      holdsQuick: false,
    },
  ],
}
