//! What the crate's own tests, benches and fuzz targets need, and a host does not.

pub use crate::seeded::SeededFault;
pub use crate::storage::decode_records;
