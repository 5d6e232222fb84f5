/** One value of a metric. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The samples of a text in the exposition format of Prometheus; comments and what is not understood are left out. */
export function readMetrics(text: string): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line)
    if (match === null || Number.isNaN(Number(match[3]))) continue
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    samples.push({
      name: match[1]!,
      labels: Object.fromEntries(labels.map(([, name, value]) => [name, unescaped(value!)])),
      value: Number(match[3]),
    })
  }
  return samples
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
}
