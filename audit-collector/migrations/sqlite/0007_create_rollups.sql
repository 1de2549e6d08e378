-- A session may be ended by somebody else, whose event names it in its detail alone: there are few of them.
CREATE INDEX event_revoked ON event (time) WHERE action = 'authn_token_revoked';

-- Events by minute and hour of their own time and by what has few values, made from the log in its order. An event is in it once,
-- however late it came: what was added is moved on in `rollup_state` by the same transaction.
CREATE TABLE rollup (
    -- 60 or 3600 seconds.
    width    INTEGER NOT NULL,
    -- When it begins, in microseconds.
    start    INTEGER NOT NULL,
    -- Empty where an event has none.
    class    TEXT NOT NULL,
    action   TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    service  TEXT NOT NULL,
    route    TEXT NOT NULL,
    template TEXT NOT NULL,
    -- Zero where there was none.
    status   INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    PRIMARY KEY (width, start, class, action, outcome, reason, service, route, template, status)
) STRICT;

-- The first position of the log that is not in it yet, always that of a batch.
CREATE TABLE rollup_state (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
) STRICT;

INSERT INTO rollup_state (id, position) VALUES (1, 0);
