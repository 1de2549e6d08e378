-- Users and addresses with many events in a day, and their events by name, so that a chart of one of them need not read all of its rows (decision 0137).
-- A day of a name is here with all of its events that are counted, or not at all.
CREATE TABLE rollup_heavy (
    id    INTEGER PRIMARY KEY,
    -- 0 a user, by name or subject; 1 an address.
    field INTEGER NOT NULL,
    -- A text in UTF-8, or an address in 16 bytes.
    name  BLOB NOT NULL,
    -- When it begins, in microseconds.
    day   INTEGER NOT NULL,
    UNIQUE (field, name, day)
) STRICT;
CREATE INDEX rollup_heavy_day ON rollup_heavy (day);

CREATE TABLE rollup_heavy_count (
    heavy  INTEGER NOT NULL,
    -- 3600 seconds with kinds in brief, 86400 with kinds in full.
    width  INTEGER NOT NULL,
    start  INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (heavy, width, start, kind)
) STRICT, WITHOUT ROWID;
