-- What is done about alerts: orders to auth-service, whoever gave them, and what became of them.
CREATE TABLE response (
    id           UUID NOT NULL PRIMARY KEY,
    fingerprint  BYTEA NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    action       TEXT NOT NULL,
    -- Whom or what it is about: a session, a token, a subject, an address.
    value        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    author       TEXT NOT NULL,
    -- Whether the alert's rule ordered it and no person.
    by_rule      BOOLEAN NOT NULL,
    -- In microseconds; null until it is undone.
    lifetime     BIGINT,
    ordered_at   BIGINT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'in_force', 'refused', 'failed', 'lifting', 'lifted', 'expired')),
    attempts     BIGINT NOT NULL DEFAULT 0,
    next_at      BIGINT NOT NULL,
    -- By what name the doors' refusals know it.
    decision     TEXT,
    in_force_at  BIGINT,
    expires_at   BIGINT,
    ended_at     BIGINT,
    ended_by     TEXT,
    -- Why it was refused or has failed.
    problem      TEXT,
    -- The first refusal of a door that names it.
    refusal      UUID,
    refused_at   BIGINT
);

-- What a rule orders it orders once, however often its alert grows.
CREATE UNIQUE INDEX response_of_rule ON response (fingerprint, action, value) WHERE by_rule;
CREATE INDEX response_alert ON response (fingerprint, id);
CREATE INDEX response_due ON response (next_at) WHERE state IN ('pending', 'lifting');
CREATE INDEX response_in_force ON response (in_force_at) WHERE state = 'in_force';
CREATE INDEX response_ordered ON response (ordered_at);
