-- Who may ask for tokens: clients, and the API keys of users, which are clients that act for their owner and nobody else.
-- Lists are texts separated by spaces; none of what they hold has one. The first audience is the one that is meant when
-- none is asked for. A deleted client stays, so that its id never names another one.
CREATE TABLE clients (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('public', 'confidential')),
    first_party   BOOLEAN NOT NULL,
    owner_id      TEXT    REFERENCES users (id),
    grant_types   TEXT    NOT NULL,
    redirect_uris TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    audiences     TEXT    NOT NULL,
    jwks          TEXT,
    disabled      BOOLEAN NOT NULL,
    version       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT
);

CREATE INDEX clients_by_owner ON clients (owner_id);

-- Only the hash is kept: who reads the database cannot use what is in it. Secrets have 256 random bits, so that a fast
-- hash protects them as well as a slow one.
CREATE TABLE client_secrets (
    id           TEXT    NOT NULL PRIMARY KEY,
    client_id    TEXT    NOT NULL REFERENCES clients (id),
    name         TEXT    NOT NULL,
    secret_hash  BYTEA   NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

CREATE INDEX client_secrets_by_client ON client_secrets (client_id);

-- Assertions that clients have signed and used (RFC 7523 §3): each is good once.
CREATE TABLE client_assertions (
    client_id  TEXT    NOT NULL REFERENCES clients (id),
    jti_hash   BYTEA   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);

CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);
