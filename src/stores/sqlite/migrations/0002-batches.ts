/** Batches of pull clients: one row for all deliveries that were offered together. */
export const batches = `
CREATE TABLE batches (
  subscription TEXT NOT NULL, batch TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (subscription, batch)
) STRICT, WITHOUT ROWID;
`
