/**
 * One row per event and no second index: every insert goes to the right edge of one B-tree. Identity of (source, id) is kept
 * by the dedup tables: `dedup_log` holds one row of hashes per group commit, runs hold the older ones sorted.
 */
export const initial = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
  subject TEXT, time TEXT, data ANY, meta TEXT, datacontenttype TEXT, dataschema TEXT, sum INTEGER NOT NULL
) STRICT;
CREATE TABLE marks (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE dedup_log (first INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
CREATE TABLE dedup_runs (
  run INTEGER PRIMARY KEY, tier INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, keys INTEGER NOT NULL,
  pages INTEGER NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE TABLE dedup_pages (page INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE dedup_parts (part INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE streams (
  stream TEXT NOT NULL, version INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (stream, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursors (source TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (
  source TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledgers (
  subscription TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, owner TEXT NOT NULL, body TEXT NOT NULL,
  mark TEXT, PRIMARY KEY (subscription, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries (
  subscription TEXT NOT NULL, sequence INTEGER NOT NULL, due INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (subscription, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (subscription, due);
CREATE TABLE dead (
  subscription TEXT NOT NULL, sequence INTEGER NOT NULL, died INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (subscription, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
  subscription TEXT NOT NULL, key TEXT NOT NULL, lowest INTEGER NOT NULL, count INTEGER NOT NULL, sequences TEXT NOT NULL,
  PRIMARY KEY (subscription, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE history (
  subscription TEXT NOT NULL, last INTEGER NOT NULL, n INTEGER NOT NULL, first INTEGER NOT NULL, at INTEGER NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (subscription, last, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_at ON history (at);
CREATE TABLE history_base (
  subscription TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (subscription, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE history_span (subscription TEXT PRIMARY KEY, span INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`
