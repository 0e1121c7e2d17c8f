//! Contact data, clause by clause: R41 to R43, and what R44 and R47 say of it.

mod batches;
mod fields;
mod finding;
mod limits;
mod replacing;
