#!/usr/bin/env bash
# Run once by Patroni on the first primary, as postgres, with the address of the server as its argument. To be changed: the password.
set -euo pipefail

psql -v ON_ERROR_STOP=1 --dbname "$1" <<'SQL'
CREATE ROLE northgate LOGIN PASSWORD 'change-me';
CREATE DATABASE northgate OWNER northgate;
SQL
