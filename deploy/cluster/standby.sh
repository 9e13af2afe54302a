#!/usr/bin/env bash
# The standby of the compose example: a copy of the primary at the first start, and then as the image does it.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -d -m 0700 -o postgres -g postgres "$PGDATA"
    until PGPASSWORD=$REPLICATION_PASSWORD gosu postgres \
        pg_basebackup --host "${PRIMARY:-db-1}" --username replication --pgdata "$PGDATA" --write-recovery-conf --checkpoint fast; do
        # What an attempt that was cut off has left.
        find "$PGDATA" -mindepth 1 -delete
        sleep 1
    done
fi
exec docker-entrypoint.sh postgres
