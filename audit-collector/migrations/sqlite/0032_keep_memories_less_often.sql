-- Memories are stored once in a while and not with each step: up to which position of the log they know it.
ALTER TABLE detection_state ADD COLUMN memories_position INTEGER NOT NULL DEFAULT 0;

UPDATE detection_state SET memories_position = position;
