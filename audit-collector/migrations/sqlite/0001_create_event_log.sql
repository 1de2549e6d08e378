-- The log: what arrived, in which batches, and in which order. The same tables as on PostgreSQL, without partitions.
-- Rows of `event` are written once and never changed; what is learnt later, such as the order, is kept beside them.

-- Events that were committed together. The digest is SHA-256 over the leaf hashes of its events, each of which is
-- SHA-256 over a zero byte and the body (RFC 6962 §2.1), so that a Merkle tree can be laid over what is stored today.
CREATE TABLE batch (
    id             BLOB    NOT NULL PRIMARY KEY,
    recorded_at    INTEGER NOT NULL,
    events         INTEGER NOT NULL CHECK (events > 0),
    digest         BLOB    NOT NULL,
    -- How many events stand before it in the log; null until the leader has put it in order.
    first_position INTEGER UNIQUE
) STRICT;

CREATE INDEX batch_unpositioned ON batch (id) WHERE first_position IS NULL;

-- How many events have positions: the next batch begins there.
CREATE TABLE log_state (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL
) STRICT;

INSERT INTO log_state (id, size) VALUES (1, 0);

-- The body is the event as it came, byte for byte; the other columns are what one can search by, bounded in length.
CREATE TABLE event (
    id           BLOB    NOT NULL PRIMARY KEY,
    class        TEXT    NOT NULL,
    time         INTEGER NOT NULL,
    batch_id     BLOB    NOT NULL,
    -- The place in its batch, from 0 on.
    ordinal      INTEGER NOT NULL,
    -- Whether the producer's clock was far from the collector's.
    time_suspect INTEGER NOT NULL,
    service      TEXT    NOT NULL,
    instance     TEXT    NOT NULL,
    boot         BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    action       TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    reason       TEXT,
    identity     TEXT    NOT NULL,
    sub          TEXT,
    username     TEXT,
    client_id    TEXT,
    sid          TEXT,
    jti          TEXT,
    -- 16 bytes, IPv4 as ::ffff:a.b.c.d, so that networks are ranges.
    ip           BLOB,
    route        TEXT,
    template     TEXT,
    path         TEXT,
    status       INTEGER,
    request_id   TEXT,
    body         BLOB    NOT NULL
) STRICT;

CREATE INDEX event_time ON event (time, id);
CREATE INDEX event_batch ON event (batch_id, ordinal);
CREATE INDEX event_sub ON event (sub, time) WHERE sub IS NOT NULL;
CREATE INDEX event_username ON event (username, time) WHERE username IS NOT NULL;
CREATE INDEX event_sid ON event (sid, time) WHERE sid IS NOT NULL;
CREATE INDEX event_jti ON event (jti, time) WHERE jti IS NOT NULL;
CREATE INDEX event_ip ON event (ip, time) WHERE ip IS NOT NULL;
CREATE INDEX event_route ON event (route, time) WHERE route IS NOT NULL;
CREATE INDEX event_request ON event (request_id) WHERE request_id IS NOT NULL;

-- Deliveries that are no events, or none that may be believed.
CREATE TABLE dead_letter (
    id          BLOB    NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    publisher   TEXT,
    -- The first 64 KiB.
    body        BLOB    NOT NULL,
    -- The size of all of it.
    body_bytes  INTEGER NOT NULL
) STRICT;
