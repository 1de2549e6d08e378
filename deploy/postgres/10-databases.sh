#!/bin/sh
# Run once by the postgres image, on an empty data folder: a database and a role for each service that has one.
# psql reads the passwords itself, so that none is in an argument list; logging is off while they are in a statement.
set -eu
: "${SECRETS_DIR:=/run/secrets}"
export SECRETS_DIR

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';

\set auth_password `tr -d '\r\n' <"$SECRETS_DIR/auth-database-password"`
\set collector_password `tr -d '\r\n' <"$SECRETS_DIR/collector-database-password"`
-- An unreadable file leaves an empty variable, and an empty password would only show at the first sign-in.
SELECT 1 / (length(:'auth_password') >= 16)::int, 1 / (length(:'collector_password') >= 16)::int \g /dev/null

CREATE ROLE auth LOGIN PASSWORD :'auth_password';
CREATE ROLE collector LOGIN PASSWORD :'collector_password';
CREATE DATABASE auth OWNER auth;
CREATE DATABASE collector OWNER collector;

-- Neither role reaches the other's database.
REVOKE ALL ON DATABASE auth, collector, postgres, template1 FROM PUBLIC;

-- A client that died inside a transaction must not hold its locks for ever.
ALTER ROLE auth SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE collector SET idle_in_transaction_session_timeout = '60s';
SQL
