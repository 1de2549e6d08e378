-- Which numbers of every source have come. Changed with each step along the log and never made from the events again, which
-- retention removes.

-- One boot of one instance of a service.
CREATE TABLE source (
    service    TEXT NOT NULL,
    instance   TEXT NOT NULL,
    boot       UUID NOT NULL,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    -- live, ended or silent
    standing   TEXT NOT NULL,
    -- Whether time alone may change what is to be told of it.
    is_watched BOOLEAN NOT NULL,
    -- Whether nothing is missing, altered or numbered twice.
    is_sound   BOOLEAN NOT NULL,
    gaps       BIGINT NOT NULL,
    missing    BIGINT NOT NULL,
    -- All that is known of it, as JSON.
    state      TEXT NOT NULL,
    PRIMARY KEY (service, instance, boot)
);

CREATE INDEX source_watched ON source (boot) WHERE is_watched = TRUE;
CREATE INDEX source_questioned ON source (last_time) WHERE is_sound = FALSE OR standing <> 'ended';
CREATE INDEX source_instance ON source (service, instance, first_time);

-- How far the log has been counted.
CREATE TABLE completeness (
    id       SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    state    TEXT NOT NULL
);
