import { eventsRoute } from '../../../events-route.ts'
import { shopPipeline } from '../../../pipeline.ts'

// Answers come from the store, never from a cache, and the store needs Node.
export const dynamic = 'force-dynamic'
export const runtime = 'nodejs'

export const { GET, HEAD, POST, PUT, DELETE, OPTIONS } = eventsRoute(shopPipeline)
