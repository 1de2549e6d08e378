-- Which users and addresses there were and how long answers took, by hour and day and by what the counts are kept by: sketches that add up
-- (decision 0133). Made from the log in its order, as the counts are, and moved on in `rollup_state` by the same transaction.
CREATE TABLE rollup_sketch (
    -- 3600 or 86400 seconds.
    width     INTEGER NOT NULL,
    start     INTEGER NOT NULL,
    class     TEXT NOT NULL,
    action    TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    service   TEXT NOT NULL,
    route     TEXT NOT NULL,
    template  TEXT NOT NULL,
    status    INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    users     BLOB NOT NULL,
    addresses BLOB NOT NULL,
    durations BLOB NOT NULL,
    PRIMARY KEY (width, start, class, action, outcome, reason, service, route, template, status)
) STRICT;

-- The first position of the log that is not in the sketches yet, never behind `position`. What was counted before there were sketches
-- is read once more for them.
ALTER TABLE rollup_state ADD COLUMN sketched INTEGER NOT NULL DEFAULT 0;

-- The queue of alerts: the most severe first, and among equals the last raised.
CREATE INDEX alert_queue ON alert (
    CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END, raised_at, fingerprint
);

-- What is rare is not found among what happened lately. SQLite uses a partial index only where the statement has its very condition.
CREATE INDEX event_reason ON event (reason, time) WHERE reason IS NOT NULL;
CREATE INDEX event_suspect ON event (batch_id) WHERE time_suspect;
