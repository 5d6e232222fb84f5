/**
 * Where the rows of a ledger are: under its own name, or under its `place`. A ledger that took the name of another keeps its
 * rows where they are; those of the other are left over and removed bit by bit.
 */
export const places = `
ALTER TABLE ledgers ADD COLUMN place TEXT;
CREATE TABLE leavings (place TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`
