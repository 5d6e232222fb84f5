import { expect, test } from 'vitest'
import { readMetrics } from './metrics-text.ts'

test('samples are read with their labels, comments are not', () => {
  const text = '# HELP a b\na 1\nb_total{source="x \\"y\\"",result="stored"} 12.5\n\nnot a sample\n'
  expect(readMetrics(text)).toEqual([
    { name: 'a', labels: {}, value: 1 },
    { name: 'b_total', labels: { source: 'x "y"', result: 'stored' }, value: 12.5 },
  ])
})
