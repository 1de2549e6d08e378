-- What people do with alerts.

-- Counts their changes, so that nobody changes what another has changed meanwhile. What the detection adds does not count.
ALTER TABLE alert ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

CREATE INDEX alert_assignee ON alert (assignee, raised_at);

CREATE TABLE alert_act (
    id          UUID   NOT NULL PRIMARY KEY,
    fingerprint BYTEA   NOT NULL REFERENCES alert (fingerprint) ON DELETE CASCADE,
    acted_at    BIGINT NOT NULL,
    author      TEXT   NOT NULL,
    -- Status, verdict and assignee, as JSON.
    before      TEXT   NOT NULL,
    after       TEXT   NOT NULL
);

CREATE INDEX alert_act_alert ON alert_act (fingerprint, id);
