// Fetches batches and confirms what it has worked on. MILLRACE_URL chooses another server.
const server = process.env['MILLRACE_URL'] ?? 'http://127.0.0.1:7117'
const batches = `${server}/v1/subscriptions/work/batches`

interface Batch {
  readonly batch: string
  readonly receipt: string
  readonly events: readonly { readonly sequence: string; readonly type: string; readonly subject: string }[]
  readonly deliveryCounts: readonly number[]
  readonly remaining: number
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

/** Waits for events, at most 20 seconds; undefined when none came. */
async function next(): Promise<Batch | undefined> {
  const answer = await post(batches, { limit: 10, wait: '20s' })
  if (answer.status === 204) return undefined
  if (!answer.ok) throw new Error(`fetching was answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Batch
}

console.log('waiting for orders')
for (;;) {
  // What fails here is tried again: a batch that nobody confirms comes back when its lease is over.
  try {
    const batch = await next()
    if (batch === undefined) continue
    batch.events.forEach(({ sequence, type, subject }, index) => {
      console.log(`#${sequence} ${type} ${subject}, delivery ${batch.deliveryCounts[index]}`)
    })
    const answer = await post(`${batches}/${batch.batch}/confirm`, { receipt: batch.receipt })
    console.log(`confirmed: ${answer.status}, ${batch.remaining} more`)
  } catch (error) {
    console.error(`the server does not answer, again in a second (${String(error)})`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
