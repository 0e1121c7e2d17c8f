//! The tests of the whole store, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::let_underscore_must_use,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that fails may panic, and may say what it counted"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "examples that are tested here share modules"
)]

mod support;

mod api;
mod backup;
mod beside_a_writer;
mod concurrency;
#[cfg(target_os = "linux")]
mod crates;
mod damage;
mod examples;
mod failing_disk;
mod field;
mod files;
mod stats;
// A build with `idn` refuses them: they have other canonical forms (R7).
#[cfg(not(feature = "idn"))]
mod golden;
mod json;
mod kill;
mod layering;
mod model;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod over_postgres;
mod power_cuts;
mod privacy;
mod read_only;
mod rules_apps;
mod rules_blocked;
mod rules_changes;
mod rules_conflicts;
mod rules_contacts;
mod rules_idempotency;
mod rules_merging;
mod rules_mute;
mod rules_promises;
mod rules_reading;
mod rules_recipients;
mod rules_reports;
mod rules_stale;
mod rules_suppression;
mod rules_tokens;
mod sequences;
mod snapshots;
#[cfg(feature = "tracing")]
mod trace;
mod transfer;
mod vacuum;
