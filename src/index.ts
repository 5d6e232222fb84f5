export type { DecidedEvent, StoredEvent } from './core/decide.ts'
export { AppError, type ErrorCode } from './core/errors.ts'
export type { Event, EventInput, Json, Sequence } from './core/event.ts'
export type { Outcome } from './core/outcome.ts'
export {
  type Decider,
  type DeciderPipeline,
  type DeciderSpec,
  decider,
  type Handled,
  type HandleOptions,
  type Loaded,
} from './decider.ts'
export {
  createPipeline,
  openPipeline,
  type PipelineOf,
  type PipelineOptions,
  pipelineFromPlan,
  type TypedPipeline,
} from './pipeline.ts'
export { createCatalogue } from './plugin/catalogue.ts'
export { defineSink, defineSource, defineStage, defineStore } from './plugin/define.ts'
export type { PipelineConfig } from './plugin/pipeline-config.ts'
export type { SubscriptionConfig } from './plugin/pipeline-schema.ts'
export { type Projection, type ProjectionOptions, projection } from './plugin/projection.ts'
export type { StageInput, StageResult } from './plugin/stage.ts'
export { stage } from './plugin/stage-function.ts'
export type { Moment, StateEntry, StatePage, StateReader } from './plugin/state.ts'
export type { StreamEvent } from './plugin/store.ts'
export type {
  DerivedOf,
  EventOf,
  EventTypes,
  InputOf,
  PatternOf,
  StageOf,
  TypedPipelineConfig,
} from './plugin/typed-config.ts'
export type {
  AuditReport,
  Explanation,
  Health,
  Pipeline,
  PipelineStats,
  PublishResult,
  SubscriptionStatus,
} from './runtime/api.ts'
export type { RebuildStatus } from './runtime/rebuild/face.ts'
export type { Expected, RotatedSecret, Subscribed, TestDelivery } from './runtime/run-time/face.ts'
export type {
  Appended,
  AppendOptions,
  ExpectedVersion,
  ReadStreamOptions,
  StreamEventInput,
  Until,
} from './runtime/streams/face.ts'
