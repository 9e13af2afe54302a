# Recipes for those who have `just`; each is one or two commands that can be typed as well.

# Lists the recipes.
default:
    @just --list

# The program, optimised.
build:
    cargo build --release

# All tests.
test:
    cargo test --workspace

# Clients in six languages, as they exist, against a server of their own.
clients:
    tests/clients/run

# Format, lints, and what the dependencies may be.
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# Known vulnerabilities in the dependencies; fetches its list from the network.
advisories:
    cargo deny check advisories

# The token decoder and the request parsers with this many random inputs for each property.
fuzz cases="1000000":
    PROPTEST_CASES={{cases}} cargo test --release -p northgate-core token
    PROPTEST_CASES={{cases}} cargo test --release -p northgate --lib decode

# Tries it out on 127.0.0.1.
dev:
    cargo run --release -- serve --dev

# Ten seconds of load on a server of its own: login, refresh or verify. Needs curl and wrk.
bench what="refresh" connections="64":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release --bin northgate --example seed
    dir=$(mktemp -d)
    target/release/examples/seed "$dir/data" 1000 20000 >"$dir/seed"
    NORTHGATE_LOG_REQUESTS=none target/release/northgate serve --dev --data-dir "$dir/data" \
        --listen 127.0.0.1:18743 --admin-listen 127.0.0.1:18744 >/dev/null 2>&1 &
    server=$!
    trap 'kill $server; wait $server || true; rm -r "$dir"' EXIT
    until curl -sf -o /dev/null http://127.0.0.1:18744/health/ready; do sleep 0.1; done
    url=https://127.0.0.1:18743
    [ "{{what}}" != verify ] || url=http://127.0.0.1:18744
    SEED="$dir/seed" wrk -t1 -c{{connections}} -d10s --latency -s bench/{{what}}.lua "$url"
