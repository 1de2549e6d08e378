-- Who has disabled a user, where that is a client that may only keep out (`enforcement:write`): it may enable that user again, and no
-- other. Null if an administrator has, or did before this was kept: then only administrators enable it.
ALTER TABLE users ADD COLUMN disabled_by TEXT;
-- By what name refusals know it.
ALTER TABLE users ADD COLUMN disabling TEXT;
