# shellcheck shell=bash
# A PostgreSQL of a benchmark's own, durable as by default, on the disk of BENCH_DIR. Sourced after lib.sh, never run.
# shellcheck disable=SC2034,SC2154
postmaster='' programs='' database_port=$((BENCH_PORT + 3))
# Its directory must be reached by a user that is not root.
database_dir=$(mktemp -d "${TMPDIR:-/tmp}/northgate-bench.XXXXXX")

as_postgres() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

sql() { "$programs/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$database_port" -U northgate -d "${database:-postgres}" "$@"; }

start_database() {
    programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$database_dir"; fi
    as_postgres "$programs/initdb" -D "$database_dir/data" -U northgate -A trust -E UTF8 --locale=C >"$work/initdb.log"
    as_postgres taskset -c "$SERVER_CORES" "$programs/postgres" -D "$database_dir/data" -p "$database_port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$database_dir" -c shared_buffers=256MB -c max_wal_size=4GB \
        >"$work/postgres.log" 2>&1 &
    postmaster=$!
    until "$programs/pg_isready" -q -h 127.0.0.1 -p "$database_port" -U northgate -d postgres; do
        kill -0 "$postmaster" 2>/dev/null || die "PostgreSQL did not start: $(tail -n 3 "$work/postgres.log")"
        sleep 0.1
    done
    # What was started is a shell around it.
    postmaster=$(head -n 1 "$database_dir/data/postmaster.pid")
}

# CPU time of all of PostgreSQL, those of its processes that have ended too, in clock ticks.
database_ticks() {
    local ended children
    # Sessions that have just ended are counted when the postmaster has seen it.
    sleep 1
    read -ra children <"/proc/$postmaster/task/$postmaster/children" || true
    ended=$(sed 's/.*) //' "/proc/$postmaster/stat" | awk '{ print $14 + $15 }')
    # One may end while it is looked at.
    echo $((ended + $(ticks "$postmaster" "${children[@]}" 2>/dev/null)))
}

stop_database() {
    if [ -n "$postmaster" ]; then
        kill -INT "$postmaster" 2>/dev/null || true
        wait
    fi
    rm -rf "$database_dir"
}
