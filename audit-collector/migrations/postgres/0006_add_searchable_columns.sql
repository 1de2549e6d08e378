-- What one also searches and counts by. Null in rows that were stored before.
ALTER TABLE event ADD COLUMN method TEXT COLLATE "C";
-- From the request's head to the answer's, in microseconds.
ALTER TABLE event ADD COLUMN duration_us BIGINT;

-- Names and codes are ordered by their bytes, as SQLite does: a prefix is then a range of an index, and no index depends on
-- the collations of an operating system, which change with its updates. No row is rewritten; indexes are. `class` is as it
-- was, since partitions are made by it, and only compared as a whole.
ALTER TABLE event
    ALTER COLUMN service TYPE TEXT COLLATE "C",
    ALTER COLUMN instance TYPE TEXT COLLATE "C",
    ALTER COLUMN action TYPE TEXT COLLATE "C",
    ALTER COLUMN outcome TYPE TEXT COLLATE "C",
    ALTER COLUMN reason TYPE TEXT COLLATE "C",
    ALTER COLUMN identity TYPE TEXT COLLATE "C",
    ALTER COLUMN sub TYPE TEXT COLLATE "C",
    ALTER COLUMN username TYPE TEXT COLLATE "C",
    ALTER COLUMN client_id TYPE TEXT COLLATE "C",
    ALTER COLUMN sid TYPE TEXT COLLATE "C",
    ALTER COLUMN jti TYPE TEXT COLLATE "C",
    ALTER COLUMN route TYPE TEXT COLLATE "C",
    ALTER COLUMN template TYPE TEXT COLLATE "C",
    ALTER COLUMN path TYPE TEXT COLLATE "C",
    ALTER COLUMN request_id TYPE TEXT COLLATE "C";
