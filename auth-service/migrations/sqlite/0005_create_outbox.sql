-- Events are committed together with the change that they report, and leave from here. The one relay numbers them after
-- their commit; a numbered event keeps its number and its bytes until the broker has confirmed it. `boot` names this
-- database as the source of the events.
CREATE TABLE outbox_head (
    only_row     INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    boot         TEXT    NOT NULL,
    last_seq     INTEGER NOT NULL,
    running_hash BLOB    NOT NULL
) STRICT;

CREATE TABLE outbox (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    TEXT    NOT NULL UNIQUE,
    occurred_at INTEGER NOT NULL,
    facts       TEXT    NOT NULL,
    seq         INTEGER UNIQUE,
    routing_key TEXT,
    body        BLOB
) STRICT;
