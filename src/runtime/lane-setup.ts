import type { Sequence } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { BatchSettings } from '../plugin/define.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Store } from '../plugin/store.ts'
import type { AttemptPlaces } from './attempt-places.ts'
import type { KeptTimers } from './kept-timers.ts'
import type { Lane } from './lane.ts'
import type { Quarantine } from './quarantine.ts'
import type { RebuildStatus } from './rebuild/face.ts'
import type { SchemaGate } from './schema-gate.ts'
import type { Settler } from './settler.ts'
import type { RunningStage } from './stage-run.ts'
import type { Upcasting } from './upcasting.ts'
import type { Watch } from './watch.ts'

/** What makes a lane that of a replay: its deliveries are marked, and a range of the log is shown to it alone. */
export interface ReplayPart {
  readonly id: string
  readonly subscription: string
  /** The end of the range. */
  readonly to: Sequence
  /** In place of dispatch: shows it the log as long as it has room. Called whenever there may be some. */
  readonly read: (lane: Lane) => void
}

/** What a lane is made of. */
export interface LaneSetup {
  readonly policy: SubscriptionPolicy
  readonly ledger: Ledger
  readonly epoch: number
  readonly stages: readonly RunningStage[]
  /** Calls the stages for what they keep. */
  readonly timers: KeptTimers
  readonly sink: Sink | undefined
  readonly sinkName: string | undefined
  readonly batch: number
  /** How long a call waits for a full batch; undefined: not at all. */
  readonly batchWaitMs: number | undefined
  /** Clients fetch its deliveries in batches: the sink is never called. */
  readonly batches?: BatchSettings | undefined
  readonly runsUserCode: boolean
  /** In which versions it is given old events; absent: as they are. */
  readonly see?: Upcasting | undefined
  readonly replay?: ReplayPart | undefined
  /** The subscription whose state this lane builds again, beside it. */
  readonly rebuildOf?: string | undefined
  /** Asked about events that stages derive. */
  readonly gate?: SchemaGate | undefined
  readonly context: PluginContext
  /** For ids that would be too long. */
  readonly digest: (text: string) => string
}

/** What a lane works in. */
export interface LaneSurroundings {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly settler: () => Settler
  readonly quarantine: Quarantine
  /** Places for attempts that all lanes share. */
  readonly places: AttemptPlaces
  /** Asked about events that stages derive; absent: no type has a schema. */
  readonly gate?: SchemaGate | undefined
  /** The rebuild of a subscription, under way or ended; for its status. */
  readonly rebuildOf: (subscription: string) => RebuildStatus | undefined
  /** The lane has room for more events than when it was last refused. */
  readonly onRoom: (lane: Lane) => void
  /** Tells after each piece of the log that was examined, until the answer is called. */
  readonly onMoved: (listener: () => void) => () => void
  /** Told when there may be nothing left to do. */
  readonly watch: Watch
}
