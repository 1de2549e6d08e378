-- The log: what arrived, in which batches, and in which order. The same tables as on SQLite, in partitions.
-- Rows of `event` are written once and never changed; what is learnt later, such as the order, is kept beside them.

-- Events that were committed together. The digest is SHA-256 over the leaf hashes of its events, each of which is
-- SHA-256 over a zero byte and the body (RFC 6962 §2.1), so that a Merkle tree can be laid over what is stored today.
CREATE TABLE batch (
    id             UUID    NOT NULL PRIMARY KEY,
    recorded_at    BIGINT  NOT NULL,
    events         INTEGER NOT NULL CHECK (events > 0),
    digest         BYTEA   NOT NULL,
    -- How many events stand before it in the log; null until the leader has put it in order.
    first_position BIGINT  UNIQUE
);

CREATE INDEX batch_unpositioned ON batch (id) WHERE first_position IS NULL;

-- How many events have positions: the next batch begins there.
CREATE TABLE log_state (
    id   SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    size BIGINT   NOT NULL
);

INSERT INTO log_state (id, size) VALUES (1, 0);

-- The body is the event as it came, byte for byte; the other columns are what one can search by, bounded in length.
CREATE TABLE event (
    id           UUID    NOT NULL,
    class        TEXT    NOT NULL,
    time         BIGINT  NOT NULL,
    batch_id     UUID    NOT NULL,
    -- The place in its batch, from 0 on.
    ordinal      INTEGER NOT NULL,
    -- Whether the producer's clock was far from the collector's.
    time_suspect BOOLEAN NOT NULL,
    service      TEXT    NOT NULL,
    instance     TEXT    NOT NULL,
    boot         UUID    NOT NULL,
    seq          BIGINT  NOT NULL,
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
    ip           BYTEA,
    route        TEXT,
    template     TEXT,
    path         TEXT,
    status       INTEGER,
    request_id   TEXT,
    body         BYTEA   NOT NULL,
    PRIMARY KEY (class, id)
) PARTITION BY LIST (class);

-- Each class is dropped by its own retention. Within a class the range of the id, which begins with a time, decides:
-- that keeps one unique key for deduplication, which a range of another column could not. Ranges are made ahead by
-- the retention of their class; what is in none of them is in the default.
CREATE TABLE event_access PARTITION OF event FOR VALUES IN ('access') PARTITION BY RANGE (id);
CREATE TABLE event_auth PARTITION OF event FOR VALUES IN ('auth') PARTITION BY RANGE (id);
CREATE TABLE event_admin PARTITION OF event FOR VALUES IN ('admin') PARTITION BY RANGE (id);
CREATE TABLE event_system PARTITION OF event FOR VALUES IN ('system') PARTITION BY RANGE (id);
CREATE TABLE event_alert PARTITION OF event FOR VALUES IN ('alert') PARTITION BY RANGE (id);

CREATE TABLE event_access_default PARTITION OF event_access DEFAULT;
CREATE TABLE event_auth_default PARTITION OF event_auth DEFAULT;
CREATE TABLE event_admin_default PARTITION OF event_admin DEFAULT;
CREATE TABLE event_system_default PARTITION OF event_system DEFAULT;
CREATE TABLE event_alert_default PARTITION OF event_alert DEFAULT;

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
    id          UUID    NOT NULL PRIMARY KEY,
    received_at BIGINT  NOT NULL,
    reason      TEXT    NOT NULL,
    publisher   TEXT,
    -- The first 64 KiB.
    body        BYTEA   NOT NULL,
    -- The size of all of it.
    body_bytes  INTEGER NOT NULL
);
