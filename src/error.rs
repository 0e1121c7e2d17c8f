//! Every way in which a call can fail, and whether it left something behind.
//!
//! This module knows no storage engine and no JSON parser: what they say is turned into these
//! types where it arises, and never passed on as text (R52).

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::limits::{LimitExceeded, LimitTooHigh, LimitZero};
use crate::model::app::AppId;
use crate::model::fault::FieldError;
use crate::model::identifier::{ContactId, IdentifierKind};
use crate::model::recipient::RecipientError;
use crate::model::sequence::SequenceNumber;

/// Why a call failed.
///
/// **Was anything written?** Not by any of these but [`Error::Indeterminate`], where it is not
/// known until [`reopen`](crate::ContactStore::reopen) tells: the request is in exactly when the
/// number found is at least the one that the error names. [`Error::CloseIncomplete`] says that all
/// that was acknowledged is there. One request is more than one commit:
/// [`forget_messages`](crate::ContactStore::forget_messages), whose steps by then stay, whatever the
/// error.
///
/// No variant holds or shows a phone, an email, a customer id, a token or a secret (R52); contact ids
/// and app ids are numbers of the store, and are shown.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// let request = AddTokens::new(AppId::from_u128(7));
/// match store.add_tokens(request).wait() {
///     Ok(added) => println!("in, at number {}", added.sequence),
///     Err(Error::Busy { .. }) => println!("try again later"),
///     Err(Error::Indeterminate { sequence, .. }) => {
///         let found = store.reopen()?;
///         println!("{}", if found >= sequence { "in" } else { "not in" });
///     }
///     Err(error) => println!("not in: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request names an app that is not connected (R11).
    #[error("app {0} is not connected")]
    UnknownApp(AppId),
    /// A request in which one refused entry refuses the whole (R23) had one.
    #[error("entry {index} is refused")]
    EntryRefused {
        /// The place of the first refused entry, counted from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        error: EntryError,
    },
    /// A value of the request itself, not of one of its entries, is invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A look-up without any identifier (R26).
    #[error("no identifier is given, at least one is required")]
    NothingGiven,
    /// A recipient is invalid, or cannot be reached (R39).
    #[error(transparent)]
    Recipient(RecipientError),
    /// The request, or the page asked for, is larger than allowed.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The JSON text is not of the published form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// As many requests wait for the writer as may (R48). Try again later, or use a handle that
    /// waits ([`WhenFull::Wait`](crate::WhenFull::Wait)).
    #[error(
        "{waiting_requests} requests with {waiting_text_bytes} bytes of text are waiting, no more are taken"
    )]
    Busy {
        /// Requests waiting now.
        waiting_requests: usize,
        /// Bytes of text that they hold.
        waiting_text_bytes: usize,
    },
    /// Deciding this request panicked. Nothing of it was written, and other requests are not
    /// touched (R48). A defect of this crate: please report it.
    #[error("deciding the request panicked; nothing of it was written")]
    Panicked,
    /// The commit that held this request failed, and whether it took place is not known (R49).
    ///
    /// The store refuses writes until it is reopened. The request is in exactly when the number
    /// that reopening finds is at least `sequence`.
    #[error(
        "the commit failed, and whether request number {sequence} is in is known after reopening"
    )]
    Indeterminate {
        /// The number that the request would have.
        sequence: SequenceNumber,
        /// What failed.
        #[source]
        cause: StorageError,
    },
    /// A commit failed earlier, or the file could not be read: the store refuses writes until it is
    /// reopened (R49).
    #[error("reading or writing failed earlier: the store takes no writes until it is reopened")]
    NeedsReopen,
    /// The file was moved, replaced or removed while the store was open (R69). The store keeps to the
    /// file that it opened, and refuses writes, which would be lost or go where nobody looks for them;
    /// reads go on. It takes writes again as soon as that file is back at its path. Where it cannot
    /// be brought back, close the store and open the file that is to be used.
    #[error(
        "the file was moved, replaced or removed: no writes are taken until it is back at its path"
    )]
    FileMoved,
    /// The store was opened for reading only ([`Options::read_only`](crate::Options::read_only), R68).
    #[error("the store is open for reading only")]
    ReadOnly,
    /// The store was closed (R49).
    #[error("the store is closed")]
    Closed,
    /// The answer of a pending write was given before.
    #[error("the answer was taken already")]
    AnswerTaken,
    /// The snapshot is of a store that has been reopened since: take a new one.
    #[error("the snapshot is from before the store was reopened")]
    SnapshotExpired,
    /// The file could not be closed cleanly. All that was acknowledged is there; the next opening
    /// takes longer.
    #[error("the file was not closed cleanly, all that was acknowledged is in it")]
    CloseIncomplete(#[source] StorageError),
    /// The file was not copied. The store is as it was, and nothing is left of the copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store could not be opened. The file is as it was.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Reading failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What is wrong with one entry of a request. Nothing of the entry was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A value is missing or invalid (R13).
    #[error(transparent)]
    Field(#[from] FieldError),
    /// None of the four identifiers is given (R13).
    #[error("at least one identifier is required")]
    NoIdentifier,
    /// The contact id names no contact, and the request refuses unknown ones (R18).
    /// Which one is not shown: it may be a phone in the wrong place.
    #[error("the contact id names no contact")]
    UnknownContactId,
    /// The contact id is that of an erased contact (R18).
    #[error("contact id {0} is that of an erased contact")]
    ContactIdErased(ContactId),
    /// The item of an upsert gives nothing that could find its contact (R41).
    #[error("neither externalCustomerId nor what dedupeOn names is given")]
    NothingToFindBy,
    /// The item of an upsert finds nobody, and the request only updates (R41).
    #[error("no contact has what the item is found by")]
    ContactNotFound,
    /// The item of an upsert finds this contact, and the request only creates (R41).
    #[error("contact {0} has what the item is found by")]
    ContactExists(ContactId),
    /// An identifier of an upsert's item cannot be put on the card (R42): another contact has it, or
    /// the contact found has a different one that an upsert does not replace.
    #[error("{kind} is in conflict with contact {contact}")]
    Conflict {
        /// The kind of identifier.
        kind: IdentifierKind,
        /// The contact in the way.
        contact: ContactId,
    },
    /// Accepting the entry would exceed a limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// Every id that could be assigned is taken.
    #[error("no contact id is left to assign")]
    ContactIdsExhausted,
    /// A report names both a token and a subscriber id, or neither (R36).
    #[error("exactly one of token and subscriberId is required")]
    OneOfTokenAndSubscriber,
    /// The entry is not of the published JSON form (R55).
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Why [`Outcomes::into_single`](crate::Outcomes::into_single) has no accepted entry to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSingle {
    /// The entry was refused. Nothing of it was written.
    #[error(transparent)]
    Refused(#[from] EntryError),
    /// The request had another number of entries than one.
    #[error("the request had {entries} entries, not one")]
    Count {
        /// How many it had.
        entries: usize,
    },
}

/// A JSON text, or a part of it, is not of the published form (R52, R55).
///
/// Shows where, what was expected and what kind of thing stood there, never what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// Where: the members that lead there, such as `tokens[3].phone`. Empty for the whole text.
    pub path: String,
    /// What is wrong there.
    pub fault: JsonFault,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(f, "{}", self.fault);
        }
        write!(f, "{}: {}", self.path, self.fault)
    }
}

impl std::error::Error for JsonError {}

/// What is wrong at one place of a JSON text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// Not JSON.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1, in bytes.
        column: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8 at byte {byte}")]
    NotUtf8 {
        /// How many bytes before it are UTF-8.
        byte: usize,
    },
    /// A byte order mark stands before the text.
    #[error("a byte order mark stands before the text")]
    ByteOrderMark,
    /// A string with one half of a surrogate pair: no text can hold it.
    #[error("holds one half of a surrogate pair")]
    LoneSurrogate,
    /// A value of another type than expected.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The expected type.
        expected: &'static str,
        /// The type of what stood there.
        found: &'static str,
    },
    /// A required member is missing.
    #[error("member \"{0}\" is required")]
    Missing(&'static str),
    /// A known member stands there twice.
    #[error("member \"{0}\" is repeated")]
    Repeated(&'static str),
    /// A member whose name is the host's to choose is repeated.
    #[error("a member with a name of {bytes} bytes is repeated")]
    RepeatedUnnamed {
        /// Length of its name.
        bytes: usize,
    },
    /// A member that is not known, whose name is 1 to 64 ASCII letters, digits or `_`, not all
    /// digits.
    #[error("member \"{0}\" is not known")]
    Unknown(String),
    /// A member that is not known, whose name is not shown because it might be a value.
    #[error("a member with a name of {bytes} bytes is not known")]
    UnknownUnnamed {
        /// Length of its name.
        bytes: usize,
    },
    /// A time below 10^11: seconds taken for milliseconds (R54).
    #[error("expected a time in milliseconds since 1970 UTC, found seconds: below 10^11")]
    SecondsNotMilliseconds,
    /// The value is a text, but none of those that the member may have.
    #[error("expected {expected}")]
    NotOneOf {
        /// Those that it may have.
        expected: &'static str,
    },
}

/// Reading or writing the file failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system refused a read or a write.
    #[error("input or output failed ({})", .0.kind())]
    Io(#[source] Arc<io::Error>),
    /// The file holds what this crate never writes.
    #[error("corrupt: {0}")]
    Corrupt(&'static str),
    /// An earlier failure stopped the storage engine until the store is reopened.
    #[error("stopped by an earlier failure")]
    Stopped,
    /// The storage engine panicked; the panic was caught.
    #[error("the storage engine panicked")]
    Panicked,
}

/// Why a copy of a store's file was not made (R66). What was written of it is removed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Something has the name that the copy should get.
    #[error("there is a file already where the copy should be")]
    AlreadyExists,
    /// The path of the copy does not end in a name.
    #[error("the path of the copy does not name a file")]
    NotAFile,
    /// The caller's function said so.
    #[error("the copy was cancelled")]
    Cancelled,
    /// The system gave no random bytes for a temporary name.
    #[error("the system gave no random bytes")]
    Random,
    /// Writing the copy failed.
    #[error("writing the copy failed: {0}")]
    Storage(#[source] StorageError),
}

/// Why a store cannot be opened (R50, R51, R53). The file was not changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no file, and the options say not to create one.
    #[error("there is no file")]
    NotFound,
    /// There is a file, and the options say to create one.
    #[error("there is a file already")]
    AlreadyExists,
    /// This or another process has the store open.
    #[error("the file is open elsewhere")]
    AlreadyOpen,
    /// The last component of the path is a symbolic link.
    #[error("the path ends in a symbolic link")]
    SymbolicLink,
    /// The path names something that is not a file.
    #[error("the path does not name a regular file")]
    NotAFile,
    /// A file without a byte in it.
    #[error("the file is empty")]
    Empty,
    /// A file whose creation was cut off, or whose beginning was wiped.
    #[error("the file was never completely created")]
    HalfCreated,
    /// A file of something else.
    #[error("the file is not a contact store")]
    Foreign,
    /// A contact store of an older format. Opened with
    /// [`Options::upgrade`](crate::Options::upgrade), it is upgraded. It is as it was.
    #[error(
        "the file has format {found}, this version works with {known}: open it with the option upgrade"
    )]
    OldFormat {
        /// The format of the file.
        found: u32,
        /// The format that this version works with.
        known: u32,
    },
    /// A contact store written by a newer version of this crate.
    #[error("the file has format {found}, the newest known is {known}")]
    NewerFormat {
        /// The format that the file asks for.
        found: u32,
        /// The newest that this version reads or writes.
        known: u32,
    },
    /// Identifiers in the file were brought to canonical form by other rules (R7).
    #[error("the file has canonical forms of version {found} ({}), this build makes version {known} ({})", idn(.found_idn), idn(.known_idn))]
    OtherCanonicalForms {
        /// Version in the file.
        found: u32,
        /// Whether a build with `idn` made the file.
        found_idn: bool,
        /// Version of this build.
        known: u32,
        /// Whether this build has `idn`.
        known_idn: bool,
    },
    /// The file is a contact store, and damaged.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// The options set a limit higher than it may be.
    #[error(transparent)]
    LimitTooHigh(#[from] LimitTooHigh),
    /// The options set a limit to zero.
    #[error(transparent)]
    LimitZero(#[from] LimitZero),
    /// The operating system refused something.
    #[error("input or output failed ({})", .0.kind())]
    Io(#[source] Arc<io::Error>),
    /// The writer's thread could not be started.
    #[error("no thread for the writer ({})", .0.kind())]
    Thread(#[source] Arc<io::Error>),
    /// The system gave no random bytes for the keys of a new file.
    #[error("the system gave no random bytes")]
    Random,
}

fn idn(with: &bool) -> &'static str {
    if *with { "with idn" } else { "without idn" }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        StorageError::Io(Arc::new(error))
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Io(Arc::new(error))
    }
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => OpenError::Io(error),
            StorageError::Corrupt(what) => OpenError::Damaged(what),
            StorageError::Stopped => OpenError::Damaged("the storage engine stopped"),
            StorageError::Panicked => OpenError::Damaged("the storage engine panicked"),
        }
    }
}

impl From<RecipientError> for Error {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Number(error) => Error::Field(error),
            error => Error::Recipient(error),
        }
    }
}
