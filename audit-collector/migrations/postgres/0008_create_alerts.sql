-- What the detection found, and how far it has read the log.

-- The fingerprint is made of the rule, the group and the beginning of the period: whoever finds it, it is one row.
CREATE TABLE alert (
    fingerprint    BYTEA            NOT NULL PRIMARY KEY,
    rule_id        TEXT             NOT NULL,
    -- The version of the rule that found it first.
    rule_version   TEXT             NOT NULL,
    title          TEXT             NOT NULL,
    severity       TEXT             NOT NULL,
    -- The fields of the group and their values, as JSON lists.
    group_fields   TEXT             NOT NULL,
    group_values   TEXT             NOT NULL,
    window_start   BIGINT           NOT NULL,
    -- When the first event happened that the rule fires with; the first event that it stands on; the last one.
    fired_at       BIGINT           NOT NULL,
    since          BIGINT           NOT NULL,
    until          BIGINT           NOT NULL,
    value          DOUBLE PRECISION NOT NULL,
    -- Ids of events, as a JSON list of at most a hundred.
    evidence       TEXT             NOT NULL,
    raised_at      BIGINT           NOT NULL,
    updated_at     BIGINT           NOT NULL,
    -- Late events took its ground away.
    withdrawn_at   BIGINT,
    shadow         BOOLEAN          NOT NULL,
    -- The reason of the suppression that silences it.
    suppressed     TEXT,
    -- Whether its event has been written; those that are told to nobody count as told.
    told           BOOLEAN          NOT NULL,
    status         TEXT             NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
    verdict        TEXT             CHECK (verdict IN ('true', 'false', 'benign')),
    assignee       TEXT
);

CREATE INDEX alert_raised ON alert (raised_at, fingerprint);
CREATE INDEX alert_rule ON alert (rule_id, raised_at);
CREATE INDEX alert_window ON alert (window_start);
CREATE INDEX alert_untold ON alert (raised_at) WHERE NOT told;

CREATE TABLE alert_note (
    id          UUID   NOT NULL PRIMARY KEY,
    fingerprint BYTEA  NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    written_at  BIGINT NOT NULL,
    author      TEXT   NOT NULL,
    text        TEXT   NOT NULL
);

CREATE INDEX alert_note_alert ON alert_note (fingerprint, id);

-- The position that is read next, and the time of storing of the last event before it.
CREATE TABLE detection_state (
    id        SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position  BIGINT   NOT NULL,
    watermark BIGINT   NOT NULL
);

INSERT INTO detection_state (id, position, watermark) VALUES (1, 0, 0);

-- What is usual for a group over days: as JSON, since only the engine reads it.
CREATE TABLE detection_memory (
    rule_id    TEXT   NOT NULL,
    group_values TEXT NOT NULL,
    memory     TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (rule_id, group_values)
);

-- Stretches of time that must be judged again because of late events.
CREATE TABLE detection_again (
    id     UUID   NOT NULL PRIMARY KEY,
    since  BIGINT NOT NULL,
    until  BIGINT NOT NULL
);
