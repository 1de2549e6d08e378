-- What the detection found, and how far it has read the log.

-- The fingerprint is made of the rule, the group and the beginning of the period: whoever finds it, it is one row.
CREATE TABLE alert (
    fingerprint    BLOB             NOT NULL PRIMARY KEY,
    rule_id        TEXT             NOT NULL,
    -- The version of the rule that found it first.
    rule_version   TEXT             NOT NULL,
    title          TEXT             NOT NULL,
    severity       TEXT             NOT NULL,
    -- The fields of the group and their values, as JSON lists.
    group_fields   TEXT             NOT NULL,
    group_values   TEXT             NOT NULL,
    window_start   INTEGER NOT NULL,
    -- When the first event happened that the rule fires with; the first event that it stands on; the last one.
    fired_at       INTEGER NOT NULL,
    since          INTEGER NOT NULL,
    until          INTEGER NOT NULL,
    value          REAL NOT NULL,
    -- Ids of events, as a JSON list of at most a hundred.
    evidence       TEXT             NOT NULL,
    raised_at      INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    -- Late events took its ground away.
    withdrawn_at   INTEGER,
    shadow         INTEGER          NOT NULL,
    -- The reason of the suppression that silences it.
    suppressed     TEXT,
    -- Whether its event has been written; those that are told to nobody count as told.
    told           INTEGER          NOT NULL,
    status         TEXT             NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
    verdict        TEXT             CHECK (verdict IN ('true', 'false', 'benign')),
    assignee       TEXT
) STRICT;

CREATE INDEX alert_raised ON alert (raised_at, fingerprint);
CREATE INDEX alert_rule ON alert (rule_id, raised_at);
CREATE INDEX alert_window ON alert (window_start);
CREATE INDEX alert_untold ON alert (raised_at) WHERE NOT told;

CREATE TABLE alert_note (
    id          BLOB   NOT NULL PRIMARY KEY,
    fingerprint BLOB   NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    written_at  INTEGER NOT NULL,
    author      TEXT   NOT NULL,
    text        TEXT   NOT NULL
) STRICT;

CREATE INDEX alert_note_alert ON alert_note (fingerprint, id);

-- The position that is read next, and the time of storing of the last event before it.
CREATE TABLE detection_state (
    id        INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position  INTEGER NOT NULL,
    watermark INTEGER NOT NULL
) STRICT;

INSERT INTO detection_state (id, position, watermark) VALUES (1, 0, 0);

-- What is usual for a group over days: as JSON, since only the engine reads it.
CREATE TABLE detection_memory (
    rule_id    TEXT   NOT NULL,
    group_values TEXT NOT NULL,
    memory     TEXT   NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (rule_id, group_values)
) STRICT;

-- Stretches of time that must be judged again because of late events.
CREATE TABLE detection_again (
    id     BLOB   NOT NULL PRIMARY KEY,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT;
