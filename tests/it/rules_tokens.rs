//! Adding tokens, clause by clause: R1 to R25.

mod batches;
mod contact_ids;
mod identifiers;
mod matching;
mod placing;
