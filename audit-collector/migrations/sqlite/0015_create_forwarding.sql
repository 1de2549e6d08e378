-- Where each receiver of forwarded events is in the log.
CREATE TABLE forwarding (
    name          TEXT NOT NULL PRIMARY KEY,
    -- The first position that was not sent.
    position      INTEGER NOT NULL,
    -- Events that were sent.
    sent          INTEGER NOT NULL,
    last_sent_at  INTEGER,
    -- Since when it takes nothing, and why.
    failing_since INTEGER,
    last_error    TEXT
) STRICT;
