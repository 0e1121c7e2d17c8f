//! The command-line tool, run as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that fails may panic, and may say what it counted"
)]

mod about;
mod changes;
mod compare_policies;
mod conflicts;
mod copies;
mod deploy;
mod export;
mod import;
mod opening;
mod reading;
mod support;
mod usage;
// A build with `idn` refuses files of older formats that one without made (R7).
#[cfg(not(feature = "idn"))]
mod upgrade;
