#!/usr/bin/env bash
# Run once by PostgreSQL's image on an empty primary: the roles, the database, and who may come in.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -v northgate="$NORTHGATE_PASSWORD" -v replication="$REPLICATION_PASSWORD" \
    --username postgres --dbname postgres <<'SQL'
CREATE ROLE northgate LOGIN PASSWORD :'northgate';
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication';
CREATE DATABASE northgate OWNER northgate;
SQL
# Between the containers of this example only; on machines of their own it is pg_hba.conf, with TLS.
echo 'host replication replication samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
echo "include '/etc/northgate/postgresql.conf'" >>"$PGDATA/postgresql.conf"
