-- What an event said before it was given pseudonyms, sealed by a key of the operator's (docs/pseudonyms.md). Null where it has none.
ALTER TABLE event ADD COLUMN sealed BYTEA;
