-- Counts and sketches name the kind of their events by a number, and are kept in brief as well as in full (decisions 0135 and 0136). What was kept is made
-- anew from the log; until then rows are counted.
DROP TABLE rollup;
DROP TABLE rollup_sketch;
UPDATE rollup_state SET position = 0;
ALTER TABLE rollup_state DROP COLUMN sketched;

-- By what events are told apart: in brief (0) without reason, route, template and status.
CREATE TABLE rollup_kind (
    id       INTEGER PRIMARY KEY,
    detail   INTEGER NOT NULL,
    class    TEXT NOT NULL,
    action   TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    identity TEXT NOT NULL,
    service  TEXT NOT NULL,
    -- Empty where an event has none. In brief, of routes and templates only whether they are Gatelog's own ('/v1/').
    reason   TEXT NOT NULL,
    route    TEXT NOT NULL,
    template TEXT NOT NULL,
    -- Zero where there was none.
    status   INTEGER NOT NULL,
    UNIQUE (detail, class, action, outcome, identity, service, reason, route, template, status)
) STRICT;

-- Events of each kind by minute, hour and day of their own time, made from the log in its order.
CREATE TABLE rollup (
    detail INTEGER NOT NULL,
    -- 60, 3600 or 86400 seconds.
    width  INTEGER NOT NULL,
    -- When it begins, in microseconds.
    start  INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (detail, width, start, kind)
) STRICT, WITHOUT ROWID;

-- Which users and addresses there were and how long answers took, by hour, day and week (of seven days from 1970 on): sketches that add up.
CREATE TABLE rollup_sketch (
    detail    INTEGER NOT NULL,
    -- 3600, 86400 or 604800 seconds.
    width     INTEGER NOT NULL,
    start     INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    users     BLOB NOT NULL,
    addresses BLOB NOT NULL,
    durations BLOB NOT NULL,
    -- The most frequent of them by name, in brief alone; nothing once retention has removed their events.
    frequent_users     BLOB,
    frequent_addresses BLOB,
    PRIMARY KEY (detail, width, start, kind)
) STRICT;
