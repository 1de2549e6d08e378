-- Counts and sketches are kept by ten minutes too, so that nobody reads the rows of an hour at the edges of a period, nor 1,440 minutes for a chart of a day
-- (decision 0140). What was kept is made anew from the log; until then rows are counted.
TRUNCATE rollup, rollup_sketch, rollup_heavy, rollup_heavy_count;
CREATE TABLE rollup_ten_minutes PARTITION OF rollup FOR VALUES IN (600);
UPDATE rollup_state SET position = 0;
