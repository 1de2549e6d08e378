-- For how long events are kept, and what is kept longer.

-- The days in force: those of the settings, or more, until somebody has confirmed fewer.
CREATE TABLE retention (
    class TEXT NOT NULL PRIMARY KEY,
    days  INTEGER NOT NULL CHECK (days > 0)
) STRICT;

-- The row that whoever removes or holds locks, and the last run with the event that tells of it.
CREATE TABLE retention_state (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    ran_at INTEGER,
    run    BLOB
) STRICT;

INSERT INTO retention_state (id) VALUES (1);

-- Events that are kept whatever their age.
CREATE TABLE hold (
    id          BLOB NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    -- In the filter language.
    filter      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    released_at INTEGER
) STRICT;

-- What one person asks for and another one confirms.
CREATE TABLE retention_change (
    id           BLOB NOT NULL PRIMARY KEY,
    -- As JSON.
    wish         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    -- confirmed, withdrawn or lapsed
    decision     TEXT,
    decided_by   TEXT,
    decided_at   INTEGER
) STRICT;

CREATE INDEX retention_change_open ON retention_change (requested_at) WHERE decided_at IS NULL;

-- Leaf hashes of events that were removed of batches that keep others, so that the batch's digest can still be checked: each 36 bytes,
-- the ordinal in four (the most significant first) and SHA-256 over a zero byte and the body. Some of one batch may stand in several rows.
CREATE TABLE removed_leaves (
    batch_id      BLOB NOT NULL,
    first_ordinal INTEGER NOT NULL,
    leaves        BLOB NOT NULL,
    PRIMARY KEY (batch_id, first_ordinal)
) STRICT;
