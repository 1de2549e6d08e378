-- The second factor of a user. Its secret is sealed under the master key and bound to the user. `last_step` is the last time
-- step whose code was taken: no code of that step or an earlier one is taken any more.
CREATE TABLE totp_factors (
    user_id       TEXT    NOT NULL PRIMARY KEY REFERENCES users (id),
    sealed_secret BYTEA    NOT NULL,
    last_step     BIGINT NOT NULL,
    added_at      BIGINT NOT NULL
);

-- A secret that was given out and is no factor yet: nobody has shown a code of it.
CREATE TABLE totp_enrolments (
    user_id       TEXT    NOT NULL PRIMARY KEY REFERENCES users (id),
    sealed_secret BYTEA    NOT NULL,
    expires_at    BIGINT NOT NULL
);

CREATE INDEX totp_enrolments_by_end ON totp_enrolments (expires_at);

-- Codes that are left, as HMACs under a key that is not in the database. A used one is deleted.
CREATE TABLE recovery_codes (
    code_hash BYTEA NOT NULL PRIMARY KEY,
    user_id   TEXT NOT NULL REFERENCES users (id)
);

CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

-- Passwords that were right, of users who still have to show a code. `password_hash_digest` binds a ticket to the password
-- that it was got for.
CREATE TABLE login_tickets (
    ticket_hash          BYTEA    NOT NULL PRIMARY KEY,
    user_id              TEXT    NOT NULL REFERENCES users (id),
    password_hash_digest BYTEA    NOT NULL,
    client_id            TEXT    NOT NULL,
    audience             TEXT    NOT NULL,
    expires_at           BIGINT NOT NULL
);

CREATE INDEX login_tickets_by_end ON login_tickets (expires_at);
