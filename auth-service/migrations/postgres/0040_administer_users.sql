-- Every change raises the version, so that nobody overwrites what they have not seen. A deleted user stays as a row without
-- a password: its name is not given to anyone else, and what it did can still be told.
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN deleted_at BIGINT;
ALTER TABLE roles ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
