/** Tells those who wait whenever something may have changed: they look, and wait again. */
export class Watch {
  readonly #waiting = new Set<() => void>()
  /** Nothing changes any more. */
  isOver = false

  /** Resolves at the next change, or when the signal aborts. Ask before looking, so that no change is missed. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const tell = (): void => {
        this.#waiting.delete(tell)
        signal?.removeEventListener('abort', tell)
        resolve()
      }
      this.#waiting.add(tell)
      signal?.addEventListener('abort', tell)
    })
  }

  changed(): void {
    if (this.#waiting.size === 0) return
    for (const tell of [...this.#waiting]) tell()
  }

  end(): void {
    this.isOver = true
    this.changed()
  }
}
