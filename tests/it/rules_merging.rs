//! Merging, unmerging and splitting contacts: R58.
//!
//! With every line that merges, unmerges or splits, the script also checks that the preview shows what
//! is then done.

mod chains;
mod erased;
mod merges;
mod rows;
mod splits;
mod unmerges;
