-- A session may be ended by somebody else, whose event names it in its detail alone: there are few of them.
CREATE INDEX event_revoked ON event (time) WHERE action = 'authn_token_revoked';
