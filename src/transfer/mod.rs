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
//! | write all contacts as CSV | [`export_csv`] |
//! | create and update contacts from CSV | [`import_csv`] with [`CsvOptions`], and what it did: [`CsvImported`] |
//! | go on after an interruption | [`ImportProgress::restart`], [`ImportOptions::restart`], [`CsvOptions::restart`] |
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
//! | `subscriber` | one for each, by id | `subscriberId`; `contactIds`: those that hold its token, in the order in which they began to; `lastRegisteredAt`; \[`lastStatus`\] with `lastStatusAt`; \[`muted`\]: an object with \[`until`\], the end of its mute ([R59](crate::rulebook#r59)); \[`counts`\]: `sent`, `failed` and `clicked`, left out when all are 0 |
//! | `message` | one for each tally | `appNumber`; `messageId`; `lastAt`; \[`counts`\] |
//! | `merge` | one for each contact that was merged into another, after those merged into it | `contactId`; `into`: the contact that the id leads to; `mergedAt`; `order`: larger than those of the merges before; `createdAt`; \[`createdThroughAppNumber`\]; \[`moved`\] and \[`kept`\]: the identifiers and fields that went over, and those that did not, as in `contact`; \[`erased`\]: the kinds of identifiers that were erased since with another contact; `tokens`: a list of `subscriberId`, `addedAt` and, where both held the token, `place` among its holders; `orderBefore`: subscriber ids; `mergedIds` |
//! | `end` | the last | `lines`: how many lines come before it |
//!
//! Not in it are the suppressed identifiers ([R65](crate::rulebook#r65)), of which a store has only hashes
//! that no other store can use, and the tokens that FAILED removed and that can be brought back
//! ([R63](crate::rulebook#r63)).
//!
//! The number of a subscriber's app is its id divided by 2^40. Lines of apps and former apps may be
//! mixed. A byte order mark before the first byte is skipped. A line is at most as long as a card within
//! the limits of the store can be, and some 64 KiB more.
//!
//! # CSV
//!
//! One contact a row, after a header that names the columns. Tokens, apps and times are not in it.
//!
//! A source is UTF-8, or what its byte order mark says (UTF-8, UTF-16LE, UTF-16BE), or what
//! [`CsvOptions::encoding`] names. Cells are between `,`, `;` or tabs, which is found from the header, or
//! between what [`CsvOptions::delimiter`] names. Cells may be quoted, and then hold ends of lines; a
//! quote in a cell is doubled. Lines end with LF, CR LF or CR. A row has at most [`CSV_ROW_BYTES`](crate::limits::CSV_ROW_BYTES) bytes, and
//! a header at most [`CSV_COLUMNS`](crate::limits::CSV_COLUMNS) columns.
//!
//! A row is refused alone when it is not text, when a quoted cell in it does not end (reading goes on
//! with the next line), when it has more or fewer cells than the header, when a rule refuses it, and when
//! a spreadsheet has spoilt a number in it ([`CsvError`]). A row whose cells are all empty is passed over.
//!
//! **Numbers that a spreadsheet has spoilt**, in a phone, a contact id or an external customer id:
//!
//! - `3.8E+11` (`scientificNotation`). An external customer id is one only if it has a decimal mark or a
//!   sign as well: `12E5` is taken.
//! - `'380500000001` (`leadingApostrophe`). In an external customer id only before a digit.
//! - A cut-off zero (`missingZero`): under [`CsvOptions::calling_code`], a phone that begins with none of
//!   `+`, `00`, `0` and the code. Without a calling code a national number with its zero is refused as
//!   `leadingZero` ([R4](crate::rulebook#r4)), and one without it cannot be told from an international
//!   number: it is taken as one.
//!
//! **Text with an apostrophe before it**: from a name, an email, a field or an external customer id, one
//! apostrophe is taken off before `=`, `+`, `-`, `@`, a tab, an end of a line, a digit, and at the end of
//! the cell. Spreadsheets mark text so, and [`export_csv`] does.
//!
//! ## Columns
//!
//! These headers are known without a mapping, in any case and with white space around them. Columns with
//! other headers are for no field, and their places are in [`CsvImported::ignored_columns`].
//!
//! | field | headers | of |
//! | --- | --- | --- |
//! | contact id | `contactId` | this crate, eSputnik |
//! | external customer id | `externalCustomerId`, `External Customer Id`, `External ID` | this crate, eSputnik, Yespo |
//! | phone | `phone`, `Phone Number`, `Mobile Phone Number`, `SMS`, `Phone 1 - Value` and so on | this crate, Mailchimp, HubSpot, Yespo, eSputnik, Google Contacts |
//! | email | `email`, `E-mail`, `Email Address`, `Additional email addresses`, `E-mail 1 - Value` and so on | this crate, Mailchimp, HubSpot, Google Contacts |
//! | first name | `firstName`, `First Name`, `Given Name` | all |
//! | last name | `lastName`, `Last Name`, `Family Name` | all |
//! | language | `languageCode`, `Language Code`, `Language`, `Preferred language` | this crate, eSputnik, Yespo, HubSpot |
//! | time zone | `timeZone`, `Time Zone` | this crate, eSputnik, Yespo, Mailchimp, HubSpot |
//! | custom fields | `customFields`, a JSON object | this crate |
//!
//! Other programs' own ids, such as HubSpot's `Record ID`, are not taken: ids of two programs may be the
//! same number. A mapping can take them.
//!
//! A field with several columns has the first value that there is. So has an email or a phone whose cell
//! holds several, with ` ::: ` or `;` between them, or a comma between emails. The others are counted
//! ([`Imported::more_values`]).

mod csv;
mod error;
mod exported;
mod imported;
mod ndjson;
mod restart;

pub use self::csv::{
    CsvError, CsvField, CsvImported, CsvOptionError, CsvOptions, EmptyCell, HeaderError,
    export_csv, import_csv,
};
pub use self::error::{RowError, TransferError};
pub use self::exported::{ExportProgress, Exported};
pub use self::imported::{ImportProgress, Imported, Rejected};
pub use self::ndjson::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
pub use self::restart::{NotARestartPoint, RestartPoint};
pub use crate::operations::take_over::Misfit;
