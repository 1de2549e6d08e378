-- A chart of one route is of some of the hundreds of kinds: by the primary key it read the hours of all of them, 180,000 rows for a month. New rows come once an
-- hour and kind, and to add to one changes no column of an index, so that this costs intake next to nothing.
CREATE INDEX rollup_hour_kind_start ON rollup_hour (kind, start);
