//! What the tests over PostgreSQL stand on: servers that they start and kill themselves, standbys, and a
//! proxy between client and server. Where PostgreSQL is not installed, each test says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that fails may panic, and may show what the server said"
)]

// The processes of the servers are found in `/proc`.
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod proxy;
#[cfg(target_os = "linux")]
mod standby;
#[cfg(target_os = "linux")]
mod tests;
#[cfg(target_os = "linux")]
mod waiting;

#[cfg(target_os = "linux")]
pub use waiting::eventually;

#[allow(dead_code, reason = "the tests of `it` use all of it")]
#[path = "../it/support/process.rs"]
mod process;

#[allow(dead_code, reason = "the tests of `it` use all of it")]
#[cfg(target_os = "linux")]
#[path = "../it/support/random.rs"]
mod random;

#[allow(dead_code, reason = "its `main` is not run here")]
#[cfg(target_os = "linux")]
#[path = "../../examples/host.rs"]
mod host;
