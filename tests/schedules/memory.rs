//! What the engine keeps in memory: the sources of the indexes and of the kept cards, unchanged, on a
//! file that stands in for the tables.

#[path = "../../src/storage/cards.rs"]
mod cards;
mod file;
mod unique;

mod draft {
    pub(super) use super::file::Changes;
}
mod guard {
    pub(super) use super::file::Failure;
}
mod format {
    pub(super) mod keys {
        pub(in crate::memory) use super::super::file::INDEX_STATE_KEY;
    }
    pub(super) mod record {
        pub(in crate::memory) use super::super::file::open;
    }
}
mod read {
    pub(super) use super::file::Rows;
}
mod tables {
    pub(super) use super::file::{Key, Table};
}

mod finding;
mod keeping;
