-- Counts and sketches are kept by ten minutes too, so that nobody reads the rows of an hour at the edges of a period, nor 1,440 minutes for a chart of a day
-- (decision 0140). What was kept is made anew from the log; until then rows are counted.
DELETE FROM rollup;
DELETE FROM rollup_sketch;
DELETE FROM rollup_heavy;
DELETE FROM rollup_heavy_count;
UPDATE rollup_state SET position = 0;
