# `just` lists these. Each is one command that also works without just.

[private]
default:
    @just --list

# A shop with the chat in it at http://localhost:8080, the fallback rules, a private Postgres.
demo *arguments:
    cargo run -- demo {{arguments}}

# The whole test suite; installs what it needs. Arguments choose tests: `just test money::`.
test *arguments:
    ops/test {{arguments}}

# Everything that CI runs.
ci:
    .ci/run

# Load, slow clients and the longest stall of a runtime thread.
bench *arguments:
    cargo bench {{arguments}}

# Formats Rust, JavaScript and CSS.
fmt:
    cargo fmt
    ops/check-assets --write

# Clippy, and the checks of scripts, spelling and assets.
lint:
    cargo clippy --all-targets -- -D warnings
    ops/check-scripts
    ops/check-assets

# Refreshes .sqlx after a change of a query or a migration.
sqlx:
    ops/sqlx-prepare
