-- What one also searches and counts by. Null in rows that were stored before.
ALTER TABLE event ADD COLUMN method TEXT;
-- From the request's head to the answer's, in microseconds.
ALTER TABLE event ADD COLUMN duration_us INTEGER;
