-- What a user is shown of a session: when and from where it was opened. Sessions that were open before tell what they can.
ALTER TABLE sessions ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN created_ip TEXT;
ALTER TABLE sessions ADD COLUMN created_user_agent TEXT;

UPDATE sessions SET created_at = authenticated_at;

-- Both are asked for by time when what is over is deleted.
CREATE INDEX sessions_by_authentication ON sessions (authenticated_at);
CREATE INDEX enforcement_by_expiry ON enforcement (expires_at);
