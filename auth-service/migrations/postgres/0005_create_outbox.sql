-- Events are committed together with the change that they report, and leave from here. The one relay numbers them after
-- their commit; a numbered event keeps its number and its bytes until the broker has confirmed it. `boot` names this
-- database as the source of the events.
CREATE TABLE outbox_head (
    only_row     BIGINT  NOT NULL PRIMARY KEY CHECK (only_row = 1),
    boot         TEXT    NOT NULL,
    last_seq     BIGINT  NOT NULL,
    running_hash BYTEA   NOT NULL
);

CREATE TABLE outbox (
    position    BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    TEXT    NOT NULL UNIQUE,
    occurred_at BIGINT  NOT NULL,
    facts       TEXT    NOT NULL,
    seq         BIGINT  UNIQUE,
    routing_key TEXT,
    body        BYTEA
);
