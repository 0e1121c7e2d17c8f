//! The examples, each tested under its own name.

pub mod deploy;
pub mod host;
pub mod replay;
pub mod telegram_updates;
