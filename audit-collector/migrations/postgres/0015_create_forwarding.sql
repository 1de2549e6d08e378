-- Where each receiver of forwarded events is in the log.
CREATE TABLE forwarding (
    name          TEXT NOT NULL PRIMARY KEY,
    -- The first position that was not sent.
    position      BIGINT NOT NULL,
    -- Events that were sent.
    sent          BIGINT NOT NULL,
    last_sent_at  BIGINT,
    -- Since when it takes nothing, and why.
    failing_since BIGINT,
    last_error    TEXT
);
