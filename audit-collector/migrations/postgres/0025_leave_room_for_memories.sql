-- Memories of users are written again and again: with room on their page the new version needs no entry in the index.
ALTER TABLE detection_memory SET (fillfactor = 50);
