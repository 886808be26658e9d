# Commands for development: https://just.systems. `just` lists them.

_default:
    @just --list --unsorted

# Formats, compiles and lints the Rust code; runs no test.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Runs the whole suite, or parts of it: `just test rust page`.
test *PARTS:
    tests/run {{ PARTS }}

# Runs Rust tests whose path contains FILTER: `just it routing::failover`.
it *FILTER:
    cargo test --locked {{ FILTER }}

# Rewrites docs/configuration.md, docs/metrics.md and the golden files from the code.
bless:
    TRUNKLINE_BLESS=1 cargo test --locked --lib -- docs_are_current dialect::tests::golden cli::import::tests::golden

# Runs the benchmark harness: `just bench --only small,burst --rounds 5`.
bench *ARGS:
    cargo bench --locked --bench gateway -- {{ ARGS }}

# Measures REV and the working tree in turns, twice: `just bench-compare main --only small`.
bench-compare REV *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    target="${CARGO_TARGET_DIR:-$PWD/target}"
    old="$target/compare"
    rm -rf "$old/source" && mkdir -p "$old/source"
    # Modification times are those of the extraction: cargo goes by them.
    git archive "{{ REV }}" | tar --extract --touch --directory "$old/source"
    (cd "$old/source" && CARGO_TARGET_DIR="$old" cargo build --release --locked --bin trunkline)
    cargo build --release --locked --bin trunkline
    for round in 1 2; do
        for binary in "$old/release/trunkline" "$target/release/trunkline"; do
            printf '\n==> round %s: %s\n' "$round" "$binary"
            TRUNKLINE_BIN="$binary" cargo bench --locked --bench gateway -- --gateways direct,trunkline {{ ARGS }}
        done
    done

# Fuzzes TARGET for SECONDS; needs cargo-fuzz.
fuzz TARGET SECONDS="60":
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{ TARGET }} -- -max_total_time={{ SECONDS }}

# Checks the page: types, lints, unit tests, size.
page:
    tests/run page

# Runs browser tests against the release binary: `just e2e specs/chat.spec.ts`.
e2e *ARGS:
    TRUNKLINE_UI_REQUIRED=1 cargo build --release --locked
    cd web/e2e && npm ci --no-fund --no-audit --ignore-scripts --loglevel=error
    cd web/e2e && TRUNKLINE_BIN="${CARGO_TARGET_DIR:-{{ justfile_directory() }}/target}/release/trunkline" npx playwright test {{ ARGS }}
