-- A session may be ended by somebody else, whose event names it in its detail alone: there are few of them.
CREATE INDEX event_revoked ON event (time) WHERE action = 'authn_token_revoked';

-- Events by minute and hour of their own time and by what has few values, made from the log in its order. An event is in it once,
-- however late it came: what was added is moved on in `rollup_state` by the same transaction.
CREATE TABLE rollup (
    -- 60 or 3600 seconds.
    width    INTEGER NOT NULL,
    -- When it begins, in microseconds.
    start    BIGINT NOT NULL,
    -- Empty where an event has none.
    class    TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    reason   TEXT COLLATE "C" NOT NULL,
    service  TEXT COLLATE "C" NOT NULL,
    route    TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    -- Zero where there was none.
    status   INTEGER NOT NULL,
    events   BIGINT NOT NULL,
    PRIMARY KEY (width, start, class, action, outcome, reason, service, route, template, status)
);

-- The first position of the log that is not in it yet, always that of a batch.
CREATE TABLE rollup_state (
    id       SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);

INSERT INTO rollup_state (id, position) VALUES (1, 0);
