//! `countersign`: see `countersign --help`.

use std::process::ExitCode;

/// Small, short-lived allocations are most of what a request does; the system's allocator takes a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    countersign::cli::run().await
}
