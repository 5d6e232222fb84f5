export { type FakeReceiver, fakeReceiver, type ReceiverAnswer, type ReceiverRequest } from './kit/fake-receiver.ts'
export type { CrashPlace, CrashPoint, StoreFailure } from './kit/faults.ts'
export {
  type DeliveryState,
  type TestClock,
  type TestControls,
  type TestPipeline,
  type TestPipelineOf,
  type TestPipelineOptions,
  type TypedTestPipeline,
  testPipeline,
} from './kit/test-pipeline.ts'
export * from './loopback-egress.ts'
export * from './plugin-context.ts'
export * from './recording-sink.ts'
export * from './scripted-source.ts'
export * from './sink-cases.ts'
export * from './source-cases.ts'
export * from './stage-cases.ts'
export * from './store-model.ts'
export * from './store-suite.ts'
export * from './virtual-platform.ts'
