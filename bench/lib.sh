# shellcheck shell=bash
# What all benchmarks share: the programs, data directories, Northgate, the yardstick, and one measured load.
# Sourced, never run. Settings are environment variables:
#   NORTHGATE_BIN SEED_BIN CALL_BIN   built elsewhere; otherwise they are built here
#   SERVER_CORES LOAD_CORES           lists for taskset; by default core 1 and core 0
#   BENCH_PORT                        the first of four ports on 127.0.0.1; random, so that runs do not meet
#   BENCH_DIR                         where data directories are made: a real disk, since commits wait for it

set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench")

SERVER_CORES=${SERVER_CORES:-1}
LOAD_CORES=${LOAD_CORES:-0}
BENCH_PORT=${BENCH_PORT:-$((20000 + RANDOM % 3000 * 4))}
BENCH_DIR=${BENCH_DIR:-$root/target/bench}
northgate_tls=127.0.0.1:$BENCH_PORT
northgate_plain=127.0.0.1:$((BENCH_PORT + 1))
yardstick_tls=127.0.0.1:$((BENCH_PORT + 2))
yardstick_plain=127.0.0.1:$((BENCH_PORT + 3))

# A request's line in the log is not what nginx does here either; `all` shows what it costs.
export NORTHGATE_LOG_REQUESTS=${NORTHGATE_LOG_REQUESTS:-none}
# The load comes from one address.
export NORTHGATE_LIMITS_CONNECTIONS_PER_SOURCE=${NORTHGATE_LIMITS_CONNECTIONS_PER_SOURCE:-16384}

say() { echo "bench: $*" >&2; }
die() { say "$*"; exit 1; }

# operations: how many requests Northgate says it has answered.
operations() {
    curl -sf "http://$northgate_plain/metrics" | awk '/^northgate_operations_total/ { sum += $2 } END { printf "%d\n", sum }'
}

# --- the programs ---

# need PROGRAM=PACKAGE…: installs the Debian packages of those that are missing, or says which.
need() {
    local pair missing=()
    for pair in "$@"; do
        type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! type -P apt-get >/dev/null; then
        die "missing, and to be installed first: ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } >&2
}

# need_programs [PROGRAM=PACKAGE…]: what every benchmark needs, and these.
need_programs() { need wrk=wrk nginx=nginx-light openssl=openssl curl=curl awk=mawk taskset=util-linux "$@"; }

build() {
    if [ -z "${SEED_BIN:-}" ] || [ -z "${CALL_BIN:-}" ]; then
        (cd "$root" && cargo build --release --examples) >&2
    fi
    [ -n "${NORTHGATE_BIN:-}" ] || "$root/deploy/build"
    NORTHGATE_BIN=${NORTHGATE_BIN:-$root/target/trained/northgate}
    SEED_BIN=${SEED_BIN:-$root/target/release/examples/seed}
    CALL_BIN=${CALL_BIN:-$root/target/release/examples/call}
}

# --- a place to work in, and what to leave behind: nothing ---

server='' yardstick='' work=''

begin() {
    mkdir -p "$BENCH_DIR"
    work=$(mktemp -d "$BENCH_DIR/run.XXXXXX")
    # nginx's worker may run as another user.
    chmod 755 "$work"
    trap end EXIT
    trap 'exit 130' INT TERM
    ulimit -n "$(ulimit -Hn)"
    make_certificate
}

end() {
    stop_server
    stop_yardstick
    rm -rf "$work"
}

make_certificate() {
    mkdir "$work/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$work/tls/key.pem" -out "$work/tls/cert.pem" 2>/dev/null
}

# --- data directories ---

# seed NAME APPLICATIONS GRANTS [--reusable]: the directory $work/NAME and the file $work/NAME.seed.
seed() {
    local name=$1
    shift
    say "seeding $1 applications with $2 grants"
    "$SEED_BIN" "$work/$name" "$@" >"$work/$name.seed" || die "the seed failed"
    cp -a "$work/tls" "$work/$name/tls"
}

# part NAME N CONNECTIONS: SEED is then a file with the lines of $work/NAME.seed for the Nth load, counted from 0, of one and the
# same server: a refresh token serves once, so that each has its own.
part() {
    SEED=$work/part.seed
    sed -n "$(($2 * $3 + 1)),$((($2 + 1) * $3))p" "$work/$1.seed" >"$SEED"
}

# A refresh token serves once, so that every run begins with a copy. It is on the disk before anything is measured.
fresh_copy() {
    rm -rf "$work/data"
    cp -a --reflink=auto "$work/$1" "$work/data"
    sync -f "$work/data"
}

# --- Northgate ---

# start_server DIRECTORY [CORES [WRAPPER…]]: returns when it is ready; `server` is its process.
start_server() {
    local data=$1 cores=${2:-$SERVER_CORES}
    shift $(($# < 2 ? $# : 2))
    ! curl -s -o /dev/null "http://$northgate_plain/" || die "somebody listens on $northgate_plain already: set BENCH_PORT"
    taskset -c "$cores" "$@" "$NORTHGATE_BIN" serve --data-dir "$data" --listen "$northgate_tls" \
        --admin-listen "$northgate_plain" >"$work/northgate.log" 2>&1 &
    server=$!
    await_ready
}

await_ready() {
    until curl -sf -o /dev/null "http://$northgate_plain/health/ready"; do
        kill -0 "$server" 2>/dev/null || die "Northgate did not start: $(tail -n 3 "$work/northgate.log")"
        sleep 0.01
    done
}

stop_server() {
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=''
}

# --- the yardstick: nginx, which decides and stores nothing ---

# The answers are of the size of ours: a token pair over TLS, the head of a verify on the plain port.
yardstick_configuration() {
    local token pair
    token=$(printf 'a%.0s' {1..64})
    pair="{\"accessToken\":\"$token\",\"tokenType\":\"Bearer\",\"refreshToken\":\"$token\",\"expiresIn\":3600,\"scope\":\"default\"}"
    cat <<CONFIGURATION
daemon off; worker_processes $1; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 8192; }
http {
    access_log off; default_type application/json; keepalive_requests 1000000000; keepalive_timeout 300;
    client_body_temp_path $work/nginx-body; proxy_temp_path $work/nginx-proxy; fastcgi_temp_path $work/nginx-fastcgi;
    uwsgi_temp_path $work/nginx-uwsgi; scgi_temp_path $work/nginx-scgi;
    server {
        listen $yardstick_tls ssl backlog=4096; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate $work/tls/cert.pem; ssl_certificate_key $work/tls/key.pem;
        location / { return 200 '$pair'; }
    }
    server {
        listen $yardstick_plain backlog=4096;
        location / { return 200 '$token$token'; }
    }
}
CONFIGURATION
}

# start_yardstick [CORES [WORKERS]]
start_yardstick() {
    yardstick_configuration "${2:-1}" >"$work/nginx.conf"
    taskset -c "${1:-$SERVER_CORES}" nginx -c "$work/nginx.conf" 2>"$work/nginx.err" &
    yardstick=$!
    until curl -sf -o /dev/null "http://$yardstick_plain/"; do
        kill -0 "$yardstick" 2>/dev/null || die "nginx did not start: $(cat "$work/nginx.err")"
        sleep 0.05
    done
}

stop_yardstick() {
    [ -n "$yardstick" ] || return 0
    kill "$yardstick" 2>/dev/null || true
    wait "$yardstick" 2>/dev/null || true
    yardstick=''
}

# --- one measured load ---

# CPU time of processes and all their threads and children, in clock ticks.
ticks() {
    local pid total=0 spent
    for pid in "$@"; do
        # The second field is a name that may hold anything, and ends with the last parenthesis.
        spent=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')
        total=$((total + spent))
    done
    echo "$total"
}

# The processes that answer: Northgate itself, or the workers of nginx.
answering() {
    case $1 in
        northgate) echo "$server" ;;
        yardstick) cat "/proc/$yardstick/task/$yardstick/children" ;;
    esac
}

# measure SUBJECT COMMAND…: runs a load on the subject (northgate or yardstick) and prints its result as one line,
# with `cpu_us` for each request added. A load with any failed request ends the benchmark.
measure() {
    local subject=$1 pids before after output result
    shift
    read -ra pids <<<"$(answering "$subject")"
    before=$(ticks "${pids[@]}")
    output=$(taskset -pc "$LOAD_CORES" "$BASHPID" >/dev/null && "$@" 2>&1) || die "the load on $subject failed: $output"
    after=$(ticks "${pids[@]}")
    result=$(grep '^requests=' <<<"$output") || die "the load on $subject said nothing: $output"
    [ "$(field failed "$result")" -eq 0 ] || die "requests to $subject failed: $output"
    [ "$(field requests "$result")" -gt 0 ] || die "$subject answered nothing in that time: $output"
    awk -v result="$result" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" -v requests="$(field requests "$result")" \
        'BEGIN { printf "%s cpu_us=%.3f\n", result, ticks * 1000000 / hertz / requests }'
}

# wrk_load SCRIPT URL CONNECTIONS SECONDS [THREADS]
wrk_load() {
    THREADS=${5:-1} wrk "-t${5:-1}" "-c$3" "-d${4}s" --timeout 10s --latency -s "$bench/$1.lua" "$2"
}

# reconnect_load ADDRESS CONNECTIONS SECONDS: wrk does not resume sessions.
reconnect_load() { "$CALL_BIN" reconnect "$1" "$work/tls/cert.pem" "$SEED" "$2" "$3"; }

# count_load ADDRESS CONNECTIONS REQUESTS OPERATION: exactly so many.
count_load() { "$CALL_BIN" count "$1" "$work/tls/cert.pem" "$SEED" "$2" "$3" "$4"; }

# field NAME RESULT
field() {
    local value=" $2"
    value=${value#* "$1"=}
    echo "${value%% *}"
}

# --- numbers and tables ---

# The median of the numbers on standard input, a line each.
median() { sort -n | awk '{ a[NR] = $1 } END { if (NR) print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }

calculate() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }

# of NAME EXPRESSION: the median over the results in $work/NAME.results of an awk expression on their fields v["…"].
of() {
    awk "{ for (i = 1; i <= NF; i++) { split(\$i, pair, \"=\"); v[pair[1]] = pair[2] } print $2 }" "$work/$1.results" | median
}
ms() { calculate "$(of "$1" "v[\"$2\"]") / 1000"; }
rate() { calculate "$(of "$1" 'v["requests"] * 1000000 / v["elapsed_us"]')" 0; }
cpu() { calculate "$(of "$1" 'v["cpu_us"]')"; }

machine() {
    local commit
    commit=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
    echo "- $(date -u +%Y-%m-%d), Northgate $commit"
    echo "- $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)," \
        "$(df --output=fstype "$BENCH_DIR" | tail -n 1) on disk, load average $(cut -d' ' -f1 /proc/loadavg) before"
    echo "- $(nginx -v 2>&1 | sed 's/.*: //'), $(openssl version | cut -d' ' -f1,2), $(wrk --version 2>&1 | head -n 1 | cut -d' ' -f1,2)"
}
