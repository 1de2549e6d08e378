-- When each key signs is planned ahead and written down, so that every replica changes keys by its clock and from the same
-- rows: the key that signs is the one of those not revoked whose time came last. One without a time waits for a command.
-- Whoever plans raises the version in the one row of `signing_key_head` first and holds it until the commit.
CREATE TABLE signing_key_head (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  BIGINT NOT NULL
);

INSERT INTO signing_key_head (only_row, version) VALUES (1, 0);

-- Keys from before have no plan and are not carried over: what they signed lives for ten minutes, and sessions go on.
DROP TABLE signing_keys;

CREATE TABLE signing_keys (
    kid            TEXT    NOT NULL PRIMARY KEY,
    algorithm      TEXT    NOT NULL,
    public_key     BYTEA    NOT NULL,
    sealed_private BYTEA,
    created_at     BIGINT NOT NULL,
    signs_from     BIGINT,
    revoked_at     BIGINT
);
