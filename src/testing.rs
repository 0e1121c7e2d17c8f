//! What the crate's own tests and fuzz targets need, and a host does not.

pub use crate::storage::decode_records;
