-- How often what was tried and failed. Ids are HMACs: a password that was typed into the field of the name is not to be read
-- here. `subject` is what an operator may read: a user's id or an address prefix.
CREATE TABLE throttle_buckets (
    id        TEXT   NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    subject   TEXT,
    failures  INTEGER NOT NULL,
    mark      INTEGER NOT NULL,
    admits_at INTEGER NOT NULL,
    told_at   INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT;

CREATE INDEX throttle_buckets_by_refusal ON throttle_buckets (admits_at);
CREATE INDEX throttle_buckets_by_end ON throttle_buckets (forget_at);

-- Failures that are told together, because there were too many to tell each.
CREATE TABLE failure_tallies (
    id       TEXT   NOT NULL PRIMARY KEY,
    action   TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    network  TEXT   NOT NULL,
    began_at INTEGER NOT NULL,
    told     INTEGER NOT NULL,
    untold   INTEGER NOT NULL
) STRICT;

CREATE INDEX failure_tallies_by_begin ON failure_tallies (began_at);

-- Devices that their users have signed in on. Only the hash is kept.
CREATE TABLE known_devices (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX known_devices_by_user ON known_devices (user_id, used_at);
