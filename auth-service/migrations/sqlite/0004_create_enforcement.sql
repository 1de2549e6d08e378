-- The enforcement log. Who appends first raises the cursor in the one row of `enforcement_head` and holds it until its
-- commit, so that entries become visible in the order of their cursors and no reader can skip one.
CREATE TABLE enforcement_head (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    cursor   INTEGER NOT NULL
) STRICT;

INSERT INTO enforcement_head (only_row, cursor) VALUES (1, 0);

CREATE TABLE enforcement (
    cursor     INTEGER NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
