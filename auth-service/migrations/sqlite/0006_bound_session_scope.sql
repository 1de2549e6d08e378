-- What a session was granted at most, separated by spaces; nothing for all that the user's roles have.
ALTER TABLE sessions ADD COLUMN scope TEXT;
