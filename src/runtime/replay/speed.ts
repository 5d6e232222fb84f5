/** What has been done at some moment. */
interface Done {
  readonly settled: number
  readonly examined: number
}

const everyMs = 500
const kept = 20

/** How fast something went in the last seconds, by looks at what it has done. Times are monotonic milliseconds. */
export class Speed {
  #looks: (Done & { readonly at: number })[] = []

  add(at: number, done: Done): void {
    const last = this.#looks.at(-1)
    if (last !== undefined && at - last.at < everyMs) return
    this.#looks = [...this.#looks.slice(1 - kept), { at, ...done }]
  }

  reset(): void {
    this.#looks = []
  }

  /** Settled deliveries a second. */
  get perSecond(): number | undefined {
    return this.#rate('settled')
  }

  get examinedPerSecond(): number | undefined {
    return this.#rate('examined')
  }

  /** How long so many more events take at this pace. */
  secondsFor(events: number): number | undefined {
    const rate = this.#rate('examined')
    return rate === undefined || rate <= 0 ? undefined : events / rate
  }

  #rate(of: keyof Done): number | undefined {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)]
    if (first === undefined || last === undefined || last.at === first.at) return undefined
    return ((last[of] - first[of]) * 1000) / (last.at - first.at)
  }
}
