-- Who is told of alerts: a row for each message, made in the transaction that changes the alert, and a row for each try to send it.
CREATE TABLE notification (
    -- Also the id by which the receiver knows the message.
    id          UUID   NOT NULL PRIMARY KEY,
    fingerprint BYTEA  NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    -- Its name in the settings.
    receiver    TEXT   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('raised', 'withdrawn', 'restored')),
    state       TEXT   NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    made_at     BIGINT NOT NULL,
    -- Since when it is tried: anew when somebody asks for that.
    tried_since BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    ended_at    BIGINT
);

-- An alert that only grows is told once.
CREATE UNIQUE INDEX notification_once ON notification (fingerprint, receiver, kind);
CREATE INDEX notification_due ON notification (receiver, next_at) WHERE state = 'pending';
CREATE INDEX notification_state ON notification (state, id);

CREATE TABLE notification_attempt (
    notification UUID   NOT NULL REFERENCES notification (id) ON DELETE CASCADE,
    number       BIGINT NOT NULL,
    begun_at     BIGINT NOT NULL,
    -- In microseconds.
    took         BIGINT NOT NULL,
    -- What the receiver answered, of HTTP or of SMTP; null if it did not.
    status       BIGINT,
    -- Why it did not arrive.
    problem      TEXT,
    PRIMARY KEY (notification, number)
);
