//! Export and import of whole stores and of contacts ([R70](crate::rulebook#r70)).
//!
//! **Exported text is personal data**: phones, emails, tokens and fields stand in it as they are.
//! Keep it where the store itself may be kept. Nothing of it is in an error
//! ([R52](crate::rulebook#r52)).

mod error;
mod exported;
mod imported;
mod ndjson;
mod restart;

pub use self::error::{RowError, TransferError};
pub use self::exported::{ExportProgress, Exported};
pub use self::imported::{ImportProgress, Imported, Rejected};
pub use self::ndjson::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
pub use self::restart::{NotARestartPoint, RestartPoint};
pub use crate::operations::take_over::Misfit;
