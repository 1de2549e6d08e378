-- The enforcement log. Who appends first raises the cursor in the one row of `enforcement_head` and holds it until its
-- commit, so that entries become visible in the order of their cursors and no reader can skip one.
CREATE TABLE enforcement_head (
    only_row BIGINT  NOT NULL PRIMARY KEY CHECK (only_row = 1),
    cursor   BIGINT  NOT NULL
);

INSERT INTO enforcement_head (only_row, cursor) VALUES (1, 0);

CREATE TABLE enforcement (
    cursor     BIGINT  NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    not_before BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
