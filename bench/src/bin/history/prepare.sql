-- What `fill.sql` needs: the ranges that retention would have made in the past, and no index but those that a row must have: the others
-- are made when all is there.

-- Busy by day and quiet by night: thirty days that end at `until`, divided into `many` moments.
CREATE FUNCTION bench_time(number BIGINT, many BIGINT, until BIGINT) RETURNS BIGINT IMMUTABLE LANGUAGE sql AS $$
    SELECT until - 2592000000000
        + floor((30.0 * number / many - 0.12 * sin(2 * pi() * 30.0 * number / many)) * 86400000000)::bigint
$$;

-- An id in the order of time, as the collector makes it.
CREATE FUNCTION bench_batch(recorded_at BIGINT, number BIGINT) RETURNS UUID IMMUTABLE LANGUAGE sql AS $$
    SELECT (lpad(to_hex(recorded_at / 1000), 12, '0') || '70008' || lpad(to_hex(number), 15, '0'))::uuid
$$;

DO $$
DECLARE
    one RECORD;
    border TEXT := NULL;
    earlier TEXT;
    week BIGINT := 7::bigint * 86400 * 1000000;
BEGIN
    FOR one IN SELECT name, class, until FROM event_partition WHERE class IN ('access', 'system') AND name LIKE '%\_first' LOOP
        EXECUTE format('ALTER TABLE event_%s DETACH PARTITION %I', one.class, one.name);
        FOR back IN 0..12 LOOP
            border := rpad(lpad(to_hex((one.until - week * back) / 1000), 12, '0'), 32, '0');
            earlier := rpad(lpad(to_hex((one.until - week * (back + 1)) / 1000), 12, '0'), 32, '0');
            IF back = 0 THEN
                EXECUTE format('ALTER TABLE event_%s ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', one.class, one.name, earlier, border);
                UPDATE event_partition SET first = one.until - week WHERE name = one.name;
            ELSE
                EXECUTE format('CREATE TABLE event_%1$s_week_%2$s PARTITION OF event_%1$s FOR VALUES FROM (%3$L) TO (%4$L)', one.class, back, earlier, border);
                INSERT INTO event_partition (name, class, first, until)
                    VALUES (format('event_%s_week_%s', one.class, back), one.class, one.until - week * (back + 1), one.until - week * back);
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE TABLE bench_index AS
    SELECT relname::text AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS definition FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = 'event'::regclass AND NOT indisprimary;

DO $$
DECLARE
    one RECORD;
BEGIN
    FOR one IN SELECT name FROM bench_index LOOP
        EXECUTE format('DROP INDEX %I', one.name);
    END LOOP;
END $$;
