export * from './plugin-context.ts'
export * from './recording-sink.ts'
export * from './scripted-source.ts'
export * from './virtual-platform.ts'
