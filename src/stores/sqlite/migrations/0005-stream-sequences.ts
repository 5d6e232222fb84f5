/** Retention takes events out of their streams by sequence. */
export const streamSequences = `
CREATE INDEX streams_by_sequence ON streams (sequence);
`
