-- Messages beyond what a receiver gets in an hour: 1 if it was held back, 2 once the receiver knows that. They have failed, and can be asked for again.
ALTER TABLE notification ADD COLUMN held SMALLINT NOT NULL DEFAULT 0;

CREATE INDEX notification_held ON notification (receiver, id) WHERE held = 1;
CREATE INDEX notification_ended ON notification (receiver, ended_at);
