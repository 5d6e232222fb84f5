/** Values that stages keep by key; those with a due time are found by it. */
export const kept = `
CREATE TABLE kept (
  subscription TEXT NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL, due INTEGER, value TEXT NOT NULL,
  PRIMARY KEY (subscription, stage, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_due ON kept (subscription, due) WHERE due IS NOT NULL;
`
