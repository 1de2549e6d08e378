-- Who is kept out for a time: an address, a network, a subject. The entry of the enforcement log puts it in force; this table is
-- what administrators see. A block that is lifted is one more entry, so that every verifier hears of it in order.
CREATE TABLE blocks (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    lifted_at  BIGINT
);

CREATE INDEX blocks_by_expiry ON blocks (expires_at);

ALTER TABLE enforcement ADD COLUMN lifted BOOLEAN NOT NULL DEFAULT FALSE;
