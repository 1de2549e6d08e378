-- What is done about alerts: orders to auth-service, whoever gave them, and what became of them.
CREATE TABLE response (
    id           BLOB NOT NULL PRIMARY KEY,
    fingerprint  BLOB NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    action       TEXT NOT NULL,
    -- Whom or what it is about: a session, a token, a subject, an address.
    value        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    author       TEXT NOT NULL,
    -- Whether the alert's rule ordered it and no person.
    by_rule      INTEGER NOT NULL,
    -- In microseconds; null until it is undone.
    lifetime     INTEGER,
    ordered_at   INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'in_force', 'refused', 'failed', 'lifting', 'lifted', 'expired')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL,
    -- By what name the doors' refusals know it.
    decision     TEXT,
    in_force_at  INTEGER,
    expires_at   INTEGER,
    ended_at     INTEGER,
    ended_by     TEXT,
    -- Why it was refused or has failed.
    problem      TEXT,
    -- The first refusal of a door that names it.
    refusal      BLOB,
    refused_at   INTEGER
) STRICT;

-- What a rule orders it orders once, however often its alert grows.
CREATE UNIQUE INDEX response_of_rule ON response (fingerprint, action, value) WHERE by_rule;
CREATE INDEX response_alert ON response (fingerprint, id);
CREATE INDEX response_due ON response (next_at) WHERE state IN ('pending', 'lifting');
CREATE INDEX response_in_force ON response (in_force_at) WHERE state = 'in_force';
CREATE INDEX response_ordered ON response (ordered_at);
