//! The HTTP host of the examples, over real HTTP: a process of its own on a free loopback port.
//!
//! The process is this test binary again, which runs what the example's `main` runs. Where a test
//! needs a disk or a time of its own, the same server runs on a thread instead.
#![cfg(unix)]

mod at_once;
mod backups;
mod changes;
pub mod client;
mod command_line;
mod connections;
mod console;
mod door;
mod endpoints;
mod failing;
mod large;
mod log;
pub mod metrics;
mod once;
pub mod openapi;
pub mod process;
mod published_guides;
mod readme;
mod refusals;

#[path = "../../../examples/host.rs"]
#[expect(dead_code, reason = "its `main` is not run here")]
pub mod example;

use crate::support::process::task;

/// The host, with the arguments that its task is, a line each.
#[test]
fn child_that_hosts() {
    let Some(task) = task() else { return };
    let arguments = task.lines().map(Into::into);
    std::process::exit(example::exit_status(arguments).into());
}
