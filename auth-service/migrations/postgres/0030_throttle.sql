-- How often what was tried and failed. Ids are HMACs: a password that was typed into the field of the name is not to be read
-- here. `subject` is what an operator may read: a user's id or an address prefix.
CREATE TABLE throttle_buckets (
    id        TEXT   NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    subject   TEXT,
    failures  BIGINT NOT NULL,
    mark      BIGINT NOT NULL,
    admits_at BIGINT NOT NULL,
    told_at   BIGINT NOT NULL,
    forget_at BIGINT NOT NULL
);

CREATE INDEX throttle_buckets_by_refusal ON throttle_buckets (admits_at);
CREATE INDEX throttle_buckets_by_end ON throttle_buckets (forget_at);

-- Failures that are told together, because there were too many to tell each.
CREATE TABLE failure_tallies (
    id       TEXT   NOT NULL PRIMARY KEY,
    action   TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    network  TEXT   NOT NULL,
    began_at BIGINT NOT NULL,
    told     BIGINT NOT NULL,
    untold   BIGINT NOT NULL
);

CREATE INDEX failure_tallies_by_begin ON failure_tallies (began_at);

-- Devices that their users have signed in on. Only the hash is kept.
CREATE TABLE known_devices (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    used_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX known_devices_by_user ON known_devices (user_id, used_at);
