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

# Logins of a new application, and handshakes, against a running `just dev`. Needs ApacheBench (apache2-utils) and openssl.
bench requests="20000" connections="64": build
    #!/usr/bin/env bash
    set -euo pipefail
    created=$(target/release/northgate app create bench --json)
    member() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<<"$created"; }
    body=$(mktemp)
    trap 'rm -f "$body"; target/release/northgate app delete "$(member appId)" --yes >/dev/null' EXIT
    printf 'appId=%s&secret=%s' "$(member appId)" "$(member secret)" >"$body"
    ab -q -k -n {{requests}} -c {{connections}} -p "$body" -T application/x-www-form-urlencoded \
        https://127.0.0.1:8743/iocm/app/sec/v1.1.0/login
    openssl s_time -tls1_2 -connect 127.0.0.1:8743 -new -time 5
    openssl s_time -tls1_2 -connect 127.0.0.1:8743 -reuse -time 5
