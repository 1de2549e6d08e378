-- One row per session, however often it is refreshed: the counter tells which refresh token is the live one, and no
-- token is stored at all. `seed` is one half of what a refresh token's authenticity rests on; the other is the master key.
-- `rotated_ip` and `rotated_user_agent` tell who refreshed last, which is the other party when a token is reused.
CREATE TABLE sessions (
    id                 TEXT    NOT NULL PRIMARY KEY,
    user_id            TEXT    NOT NULL REFERENCES users (id),
    client_id          TEXT    NOT NULL,
    audience           TEXT    NOT NULL,
    amr                TEXT    NOT NULL,
    seed               BLOB    NOT NULL,
    counter            INTEGER NOT NULL,
    authenticated_at   INTEGER NOT NULL,
    rotated_at         INTEGER NOT NULL,
    rotated_ip         TEXT,
    rotated_user_agent TEXT,
    ended_at           INTEGER,
    end_reason         TEXT
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);
