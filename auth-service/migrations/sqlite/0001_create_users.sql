-- Who may sign in and what each may do. Names are compared in lower case, since nobody should be able to pass as
-- `Alice` beside `alice`. Scopes belong to roles, so that a change of a role reaches everybody who has it.
CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL UNIQUE,
    password_hash TEXT,
    disabled      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE roles (
    name   TEXT NOT NULL PRIMARY KEY,
    scopes TEXT NOT NULL
) STRICT;

CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id),
    role    TEXT NOT NULL REFERENCES roles (name),
    PRIMARY KEY (user_id, role)
) STRICT;

CREATE INDEX user_roles_by_role ON user_roles (role);

INSERT INTO roles (name, scopes) VALUES
    ('admin', 'admin audit:read audit:export audit:respond rules:write'),
    ('auditor', 'audit:read'),
    ('user', '');

-- Only the hash is kept: who reads the database cannot use what is in it.
CREATE TABLE one_time_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    user_id    TEXT    REFERENCES users (id),
    expires_at INTEGER NOT NULL
) STRICT;
