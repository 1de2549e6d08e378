-- Counts and sketches name the kind of their events by a number, and are kept in brief as well as in full (decisions 0135 and 0136). What was kept is made
-- anew from the log; until then rows are counted.
DROP TABLE rollup;
DROP TABLE rollup_sketch;
UPDATE rollup_state SET position = 0;
ALTER TABLE rollup_state DROP COLUMN sketched;

-- By what events are told apart: in brief (0) without reason, route, template and status.
CREATE TABLE rollup_kind (
    id       INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    detail   SMALLINT NOT NULL,
    class    TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    identity TEXT COLLATE "C" NOT NULL,
    service  TEXT COLLATE "C" NOT NULL,
    -- Empty where an event has none. In brief, of routes and templates only whether they are Gatelog's own ('/v1/').
    reason   TEXT COLLATE "C" NOT NULL,
    route    TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    -- Zero where there was none.
    status   INTEGER NOT NULL,
    UNIQUE (detail, class, action, outcome, identity, service, reason, route, template, status)
);

-- Events of each kind by minute, hour and day of their own time, made from the log in its order.
CREATE TABLE rollup (
    detail SMALLINT NOT NULL,
    -- 60, 3600 or 86400 seconds.
    width  INTEGER NOT NULL,
    -- When it begins, in microseconds.
    start  BIGINT NOT NULL,
    kind   INTEGER NOT NULL,
    events BIGINT NOT NULL,
    PRIMARY KEY (detail, width, start, kind)
) PARTITION BY LIST (width);
CREATE TABLE rollup_minute PARTITION OF rollup FOR VALUES IN (60);
CREATE TABLE rollup_hour PARTITION OF rollup FOR VALUES IN (3600);
CREATE TABLE rollup_day PARTITION OF rollup FOR VALUES IN (86400);

-- Which users and addresses there were and how long answers took, by hour, day and week (of seven days from 1970 on): sketches that add up.
CREATE TABLE rollup_sketch (
    detail    SMALLINT NOT NULL,
    -- 3600, 86400 or 604800 seconds.
    width     INTEGER NOT NULL,
    start     BIGINT NOT NULL,
    kind      INTEGER NOT NULL,
    events    BIGINT NOT NULL,
    users     BYTEA NOT NULL,
    addresses BYTEA NOT NULL,
    durations BYTEA NOT NULL,
    -- The most frequent of them by name, in brief alone; nothing once retention has removed their events.
    frequent_users     BYTEA,
    frequent_addresses BYTEA,
    PRIMARY KEY (detail, width, start, kind)
);

-- They are dense as they are.
ALTER TABLE rollup_sketch
    ALTER COLUMN frequent_users SET STORAGE EXTERNAL,
    ALTER COLUMN frequent_addresses SET STORAGE EXTERNAL;
