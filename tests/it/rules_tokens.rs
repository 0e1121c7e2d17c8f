//! Adding tokens, clause by clause: R1 to R25, and R57.

mod batches;
mod contact_ids;
mod identifiers;
mod matching;
mod placing;
mod renaming;
