//! The queue and the writer, and what readers share with the writer, with every thread of theirs under
//! a scheduler that the tests control.
//!
//! This crate holds the source of `src/writer`, unchanged, beside stand-ins for what stands beneath
//! it: `sync` with the locks, atomics, threads and the clock of the crate `shuttle`, under which only
//! one thread runs at a time and the scheduler says which goes on; and `storage`, a list of numbers.
//! `memory` holds the sources of the indexes and of the kept cards in the same way. A thread that waits
//! for ever is found immediately, since then no thread can go on. What the processor itself may put in
//! another order is not tried: here every step is seen by all threads immediately.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::let_underscore_must_use,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that fails may panic, and may say what it counted"
)]
#![allow(
    dead_code,
    unused_imports,
    reason = "of the sources and tools of others, what the writer and these tests do not use"
)]

// The writer, and what it is written with.
#[path = "../../src/block_on.rs"]
mod block_on;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/limits.rs"]
mod limits;
mod operations;
#[path = "../../src/stats.rs"]
mod stats;
#[path = "../../src/trace.rs"]
mod trace;
#[path = "../../src/writer/mod.rs"]
mod writer;

// What readers read while the writer writes.
mod memory;

// What stands in for the rest.
mod options;
mod storage;
mod sync;

// Values that errors name.
mod model;

#[path = "../it/support/cases.rs"]
mod cases;
mod explore;
mod world;

mod awaiting;
mod bounds;
mod changes;
mod closing;
mod failing;
mod replacing;
mod sharing;
