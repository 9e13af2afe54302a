# Recipes for `just`. Each runs one or two commands that can also be typed.

# Lists the recipes.
default:
    @just --list

# The program, optimised.
build:
    cargo build --release

# The same, trained: what is installed (target/trained/northgate). Takes three times as long.
trained:
    deploy/build

# All tests.
test:
    ./test

# Clients in six languages against a server of their own.
clients:
    tests/clients/run

# Three nodes while everything between them is broken: `just campaign --seed 7 --minutes 10`.
campaign *arguments:
    tests/campaign/run {{arguments}}

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

# The instructions of every parser that runs before authentication, over this many random inputs. Needs valgrind.
parsing cases="1000":
    PARSING_CASES={{cases}} cargo test -p northgate-e2e --test parsing_work

# Tries it out on 127.0.0.1.
dev:
    cargo run --release -- serve --dev

# Every operation beside nginx: `just bench --quick`, `just bench refresh 64`. The method is in docs/performance.md.
bench *arguments:
    bench/run {{arguments}}

# What grows with grants and connections, and what must not.
bench-size *arguments:
    bench/size {{arguments}}

# Nodes that share a PostgreSQL database, beside pgbench.
bench-postgres *arguments:
    bench/postgres {{arguments}}

# Ten million grants and a million applications in PostgreSQL.
bench-scale *arguments:
    bench/scale {{arguments}}

# Two server cores against one.
bench-cores *arguments:
    bench/cores {{arguments}}

# Five times the load that there is room for.
bench-overload *arguments:
    bench/overload {{arguments}}

# The instructions of one request against what was recorded. Needs valgrind.
bench-instructions *arguments="--check":
    bench/instructions {{arguments}}
