//! What a write is, and what the writer does without being asked.

pub(crate) mod connect_app;
pub(crate) mod once;
#[path = "../../../src/operations/operation.rs"]
pub(crate) mod operation;
