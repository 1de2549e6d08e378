-- Ranges of ids, and with them of time, that retention makes ahead and drops as a whole. What each class has so far becomes its first range,
-- up to the day after tomorrow, and is dropped when all of it is old enough; the default table is begun anew, since no range can be made
-- while the default holds something of it. Imported events, whose ids begin with 0xff, are apart: they are kept from their import on.
CREATE TABLE event_partition (
    name  TEXT NOT NULL PRIMARY KEY,
    class TEXT NOT NULL,
    -- The first moment of its ids and the first after, in microseconds.
    first BIGINT NOT NULL,
    until BIGINT NOT NULL
);

DO $$
DECLARE
    one TEXT;
    border_day BIGINT := floor(extract(epoch FROM now()) / 86400)::bigint + 2;
    -- The first id of that day: its milliseconds in 48 bits.
    border UUID := rpad(lpad(to_hex(border_day * 86400000), 12, '0'), 32, '0')::uuid;
BEGIN
    FOREACH one IN ARRAY ARRAY['access', 'auth', 'admin', 'system', 'alert'] LOOP
        EXECUTE format('ALTER TABLE event_%1$s DETACH PARTITION event_%1$s_default', one);
        EXECUTE format('ALTER TABLE event_%1$s_default RENAME TO event_%1$s_first', one);
        EXECUTE format('CREATE TABLE event_%1$s_default PARTITION OF event_%1$s DEFAULT', one);
        -- Of clocks that go wrong.
        EXECUTE format(
            'WITH ahead AS (DELETE FROM event_%1$s_first WHERE id >= %2$L RETURNING *) INSERT INTO event_%1$s_default SELECT * FROM ahead',
            one, border
        );
        EXECUTE format(
            'ALTER TABLE event_%1$s ATTACH PARTITION event_%1$s_first FOR VALUES FROM (MINVALUE) TO (%2$L)', one, border
        );
        EXECUTE format(
            'CREATE TABLE event_%1$s_imported PARTITION OF event_%1$s FOR VALUES FROM (%2$L) TO (MAXVALUE)',
            one, 'ff000000-0000-0000-0000-000000000000'
        );
        INSERT INTO event_partition (name, class, first, until)
            VALUES (format('event_%s_first', one), one, 0, border_day * 86400000000);
    END LOOP;
END $$;
