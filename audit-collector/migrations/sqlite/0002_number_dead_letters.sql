-- A dead letter is one row however often it comes: its id is derived from its sender and its bytes.
ALTER TABLE dead_letter ADD COLUMN times INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dead_letter ADD COLUMN last_received_at INTEGER;

UPDATE dead_letter SET last_received_at = received_at;

CREATE INDEX dead_letter_received ON dead_letter (received_at, id);
CREATE INDEX dead_letter_reason ON dead_letter (reason, received_at, id);

-- Numbers that dead letters fill, until completeness has counted them. Apart from the letters, which may be dropped before.
CREATE TABLE dead_number (
    letter_id   BLOB NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    service     TEXT NOT NULL,
    instance    TEXT NOT NULL,
    boot        BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    -- SHA-256 of all of its bytes, which the source's running hash covers.
    digest      BLOB NOT NULL
) STRICT;

-- Events that were dead letters first, so that their numbers were filled before they came into the log.
CREATE TABLE replayed_event (
    id BLOB NOT NULL PRIMARY KEY
) STRICT;
