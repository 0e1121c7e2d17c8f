//! Export and import of whole stores and of contacts ([R70](crate::rulebook#r70)).
//!
//! **Exported text is personal data**: phones, emails, tokens and fields stand in it as they are.
//! Keep it where the store itself may be kept. Nothing of it is in an error
//! ([R52](crate::rulebook#r52)), but a rejected row is handed to the caller as it was read.
//!
//! | to | use |
//! | --- | --- |
//! | write everything that a store holds | [`export_ndjson`], and what it did: [`Exported`] |
//! | make a store of it | [`import_ndjson`], and what it did: [`Imported`] |
//! | go on after an interruption | [`ImportProgress::restart`], [`ImportOptions::restart`] |
//! | see why a row was refused | [`Rejected`], [`RowError`] |
//!
//! To copy a store as a file, back it up ([`Snapshot::backup`](crate::Snapshot::backup)): that is
//! faster. An export can be read and changed by other programs, and read by later versions of this
//! crate.
//!
//! # NDJSON
//!
//! An export of a whole store is UTF-8 text with one JSON object a line, each with one member that says
//! what the line holds. The kinds of lines come in this order. Times are milliseconds since 1970 UTC,
//! and may be any number. Subscriber ids are strings, all other ids and counts are integers up to
//! 2^64-1. Members in brackets are left out where they do not apply.
//!
//! | line | how many | members |
//! | --- | --- | --- |
//! | `contactStoreExport` | the first | `version`: 1; `sequence`: the number of the state; `nextContactId`: every id below is or was in use; `nextAppNumber`: likewise |
//! | `app` | one for each connected app | `number`: of this connection; `appUuid`; `name`; \[`accessKey`\]: only if asked for; `connectedAt`; `subscriberIds`: how many were given out; `removedByFailed`; `removedByHost` |
//! | `formerApp` | one for each earlier connection | `number`; `appUuid`; `subscriberIds`; `removedByFailed`; `removedByHost` |
//! | `takenContactIds` | any | a list of `[first, last]`: runs of ids from `nextContactId` on that are or were in use |
//! | `formerSubscriberId` | any | `former`: the id that a subscriber had in a file of format 1; `now`: its id |
//! | `contact` | one for each, by id | `contactId`; \[`externalCustomerId`\]; \[`phone`\]; \[`email`\]; \[`firstName`\]; \[`lastName`\]; \[`languageCode`\]; \[`timeZone`\]; \[`fields`\]: an object of texts; `createdAt`; \[`createdThroughAppNumber`\]; `tokens`: a list, in the order added, of `subscriberId`, `token` and `addedAt` |
//! | `subscriber` | one for each, by id | `subscriberId`; `contactIds`: those that hold its token, in the order in which they began to; `lastRegisteredAt`; \[`lastStatus`\] with `lastStatusAt`; \[`counts`\]: `sent`, `failed` and `clicked`, left out when all are 0 |
//! | `message` | one for each tally | `appNumber`; `messageId`; `lastAt`; \[`counts`\] |
//! | `end` | the last | `lines`: how many lines come before it |
//!
//! The number of a subscriber's app is its id divided by 2^40. Lines of apps and former apps may be
//! mixed. A byte order mark before the first byte is skipped. A line is at most as long as a card within
//! the limits of the store can be, and some 64 KiB more.

mod csv;
mod error;
mod exported;
mod imported;
mod ndjson;
mod restart;

pub use self::csv::{
    COLUMNS, CsvError, CsvField, CsvImported, CsvOptionError, CsvOptions, EmptyCell, HeaderError,
    ROW_BYTES, export_csv, import_csv,
};
pub use self::error::{RowError, TransferError};
pub use self::exported::{ExportProgress, Exported};
pub use self::imported::{ImportProgress, Imported, Rejected};
pub use self::ndjson::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
pub use self::restart::{NotARestartPoint, RestartPoint};
pub use crate::operations::take_over::Misfit;
