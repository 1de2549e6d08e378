-- Who is signed in at the hosted page: a browser holds the token, the database its SHA-256. `password_hash_digest` binds a
-- session to the password that opened it, so that none outlives a change, whoever makes it.
CREATE TABLE browser_sessions (
    id                     TEXT    NOT NULL PRIMARY KEY,
    token_hash             BYTEA   NOT NULL UNIQUE,
    user_id                TEXT    NOT NULL REFERENCES users (id),
    password_hash_digest   BYTEA   NOT NULL,
    amr                    TEXT    NOT NULL,
    authenticated_at       BIGINT  NOT NULL,
    last_used_at           BIGINT  NOT NULL,
    ended_at               BIGINT
);

CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id);

-- Authorization codes, by their SHA-256. A redeemed one is kept for as long as the session that was opened from it may live:
-- who presents it again ends that session.
CREATE TABLE authorization_codes (
    code_hash          BYTEA   NOT NULL PRIMARY KEY,
    browser_session_id TEXT    NOT NULL REFERENCES browser_sessions (id),
    client_id          TEXT    NOT NULL,
    user_id            TEXT    NOT NULL REFERENCES users (id),
    redirect_uri       TEXT    NOT NULL,
    challenge          TEXT    NOT NULL,
    scope              TEXT    NOT NULL,
    audience           TEXT    NOT NULL,
    nonce              TEXT,
    expires_at         BIGINT  NOT NULL,
    redeemed_at        BIGINT,
    session_id         TEXT
);

CREATE INDEX authorization_codes_by_browser_session ON authorization_codes (browser_session_id);
CREATE INDEX authorization_codes_by_session ON authorization_codes (session_id);
CREATE INDEX authorization_codes_by_user ON authorization_codes (user_id, client_id);

-- What a user has allowed a client of somebody else.
CREATE TABLE consents (
    user_id    TEXT    NOT NULL REFERENCES users (id),
    client_id  TEXT    NOT NULL,
    audience   TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    granted_at BIGINT  NOT NULL,
    PRIMARY KEY (user_id, client_id, audience)
);
