-- Searches that somebody keeps under a name, for themselves or for everybody.

CREATE TABLE saved_search (
    id         BLOB NOT NULL PRIMARY KEY,
    -- The subject of whoever made it.
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- In the filter language.
    filter     TEXT NOT NULL,
    first_time INTEGER,
    -- The first moment after the period.
    end_time   INTEGER,
    shared     INTEGER NOT NULL CHECK (shared IN (0, 1)),
    -- What If-Match names.
    version    INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;

CREATE INDEX saved_search_shared ON saved_search (name) WHERE shared;

-- The row that whoever changes searches locks, so that none is counted that is not there yet.
CREATE TABLE saved_search_lock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1)
) STRICT;

INSERT INTO saved_search_lock (id) VALUES (1);
