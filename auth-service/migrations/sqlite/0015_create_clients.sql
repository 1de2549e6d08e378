-- Who may ask for tokens: clients, and the API keys of users, which are clients that act for their owner and nobody else.
-- Lists are texts separated by spaces; none of what they hold has one. The first audience is the one that is meant when
-- none is asked for. A deleted client stays, so that its id never names another one.
CREATE TABLE clients (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('public', 'confidential')),
    first_party   INTEGER NOT NULL,
    owner_id      TEXT    REFERENCES users (id),
    grant_types   TEXT    NOT NULL,
    redirect_uris TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    audiences     TEXT    NOT NULL,
    jwks          TEXT,
    disabled      INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;

CREATE INDEX clients_by_owner ON clients (owner_id);

-- Only the hash is kept: who reads the database cannot use what is in it. Secrets have 256 random bits, so that a fast
-- hash protects them as well as a slow one.
CREATE TABLE client_secrets (
    id           TEXT    NOT NULL PRIMARY KEY,
    client_id    TEXT    NOT NULL REFERENCES clients (id),
    name         TEXT    NOT NULL,
    secret_hash  BLOB    NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE INDEX client_secrets_by_client ON client_secrets (client_id);

-- Assertions that clients have signed and used (RFC 7523 §3): each is good once.
CREATE TABLE client_assertions (
    client_id  TEXT    NOT NULL REFERENCES clients (id),
    jti_hash   BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
) STRICT;

CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);
