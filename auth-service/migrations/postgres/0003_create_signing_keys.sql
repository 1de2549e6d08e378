-- Signing keys live in the database so that replicas and restarts agree on them. The private half is sealed under the
-- master key. At most one key is active: replicas that start at once cannot each make one.
CREATE TABLE signing_keys (
    kid            TEXT    NOT NULL PRIMARY KEY,
    algorithm      TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('pre_published', 'active', 'retiring', 'retired')),
    public_key     BYTEA   NOT NULL,
    sealed_private BYTEA   NOT NULL,
    created_at     BIGINT  NOT NULL
);

CREATE UNIQUE INDEX one_active_signing_key ON signing_keys (state) WHERE state = 'active';
