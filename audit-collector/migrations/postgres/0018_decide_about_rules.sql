-- What people decide about rules beside their files: whether one is told, and what is silenced for a while.

CREATE TABLE rule_standing (
    rule_id    TEXT NOT NULL PRIMARY KEY,
    -- Whether it is a shadow; NULL is as its file says.
    shadow     BOOLEAN,
    -- What If-Match names.
    revision   BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE silence (
    id       UUID NOT NULL PRIMARY KEY,
    -- NULL is every rule.
    rule_id  TEXT,
    -- A value of the group; NULL is every group.
    value    TEXT,
    reason   TEXT NOT NULL,
    -- When it ends, or was ended.
    until    BIGINT NOT NULL,
    made_by  TEXT NOT NULL,
    made_at  BIGINT NOT NULL,
    -- Who ended it before its time.
    ended_by TEXT,
    CHECK (rule_id IS NOT NULL OR value IS NOT NULL)
);

CREATE INDEX silence_until ON silence (until);

-- The row that whoever adds a silence locks, so that none is counted that is not there yet.
CREATE TABLE silence_lock (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1)
);

INSERT INTO silence_lock (id) VALUES (1);
