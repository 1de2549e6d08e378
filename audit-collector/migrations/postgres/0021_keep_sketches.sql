-- Which users and addresses there were and how long answers took, by hour and day and by what the counts are kept by: sketches that add up
-- (decision 0133). Made from the log in its order, as the counts are, and moved on in `rollup_state` by the same transaction.
CREATE TABLE rollup_sketch (
    -- 3600 or 86400 seconds.
    width     INTEGER NOT NULL,
    start     BIGINT NOT NULL,
    class     TEXT COLLATE "C" NOT NULL,
    action    TEXT COLLATE "C" NOT NULL,
    outcome   TEXT COLLATE "C" NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    service   TEXT COLLATE "C" NOT NULL,
    route     TEXT COLLATE "C" NOT NULL,
    template  TEXT COLLATE "C" NOT NULL,
    status    INTEGER NOT NULL,
    events    BIGINT NOT NULL,
    users     BYTEA NOT NULL,
    addresses BYTEA NOT NULL,
    durations BYTEA NOT NULL,
    PRIMARY KEY (width, start, class, action, outcome, reason, service, route, template, status)
);

-- The first position of the log that is not in the sketches yet, never behind `position`. What was counted before there were sketches
-- is read once more for them.
ALTER TABLE rollup_state ADD COLUMN sketched BIGINT NOT NULL DEFAULT 0;

-- Minutes apart from hours, of which there are a twentieth: among minutes, the hours of a week are few rows far from each other.
ALTER TABLE rollup RENAME TO rollup_before;
ALTER INDEX rollup_pkey RENAME TO rollup_before_pkey;
CREATE TABLE rollup (LIKE rollup_before) PARTITION BY LIST (width);
ALTER TABLE rollup ADD PRIMARY KEY (width, start, class, action, outcome, reason, service, route, template, status);
CREATE TABLE rollup_minute PARTITION OF rollup FOR VALUES IN (60);
CREATE TABLE rollup_hour PARTITION OF rollup FOR VALUES IN (3600);
INSERT INTO rollup SELECT * FROM rollup_before ORDER BY width, start;
DROP TABLE rollup_before;

-- The queue of alerts: the most severe first, and among equals the last raised.
CREATE INDEX alert_queue ON alert (
    (CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END), raised_at, fingerprint
);

-- What is rare is not found among what happened lately, and of each range of each class a page needs the first event at least: where none meets the
-- filter, all of the range was read. These are small, since what is granted and went well is in none of them.
CREATE INDEX event_reason ON event (reason, time) WHERE reason IS NOT NULL;
CREATE INDEX event_outcome ON event (outcome, time) WHERE outcome <> 'granted' AND outcome <> 'success';
CREATE INDEX event_action ON event (action, time) WHERE action <> 'api_request';
CREATE INDEX event_status ON event (status, time) WHERE status <> 200;
CREATE INDEX event_suspect ON event (batch_id) WHERE time_suspect;
