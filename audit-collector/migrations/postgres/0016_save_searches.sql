-- Searches that somebody keeps under a name, for themselves or for everybody.

CREATE TABLE saved_search (
    id         UUID NOT NULL PRIMARY KEY,
    -- The subject of whoever made it.
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- In the filter language.
    filter     TEXT NOT NULL,
    first_time BIGINT,
    -- The first moment after the period.
    end_time   BIGINT,
    shared     BOOLEAN NOT NULL,
    -- What If-Match names.
    version    BIGINT NOT NULL,
    made_at    BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (owner, name)
);

CREATE INDEX saved_search_shared ON saved_search (name) WHERE shared;

-- The row that whoever changes searches locks, so that none is counted that is not there yet.
CREATE TABLE saved_search_lock (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1)
);

INSERT INTO saved_search_lock (id) VALUES (1);
