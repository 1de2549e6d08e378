-- The position after the events that a receiver is being sent and has not taken: whoever sends them again sends the same ones.
ALTER TABLE forwarding ADD COLUMN offered_until BIGINT;
