//! Every way in which a call can fail, and what it leaves behind.
//!
//! This module knows no storage engine and no JSON parser. Their errors become these types where
//! they arise, and their text is never passed on (R52).

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::limits::{LimitExceeded, LimitTooHigh, LimitZero};
use crate::model::app::AppId;
use crate::model::change::ChangePosition;
use crate::model::fault::FieldError;
use crate::model::identifier::{ContactId, IdentifierKind};
use crate::model::recipient::RecipientError;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;

/// Why a call failed.
///
/// **Was anything written?** No, with two exceptions:
///
/// - After [`Error::Indeterminate`] it is unknown until [`reopen`](crate::ContactStore::reopen).
///   The request is in the store exactly when the number found is at least the one in the error.
/// - [`forget_messages`](crate::ContactStore::forget_messages) and
///   [`remove_stale`](crate::ContactStore::remove_stale) take several commits. The steps already
///   committed stay, whatever the error.
///
/// After [`Error::CloseIncomplete`], everything that was acknowledged is in the file.
///
/// No variant holds or shows a phone, an email, a customer id, a token or a secret
/// ([R52](crate::rulebook#r52)). Contact ids and app ids identify nobody outside the store, and are
/// shown.
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
    /// The request names an app that is not connected ([R11](crate::rulebook#r11)).
    #[error("app {0} is not connected")]
    UnknownApp(AppId),
    /// An entry was refused in a request that one refused entry refuses as a whole
    /// ([R23](crate::rulebook#r23)).
    #[error("entry {index} is refused")]
    EntryRefused {
        /// The index of the first refused entry, counted from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        error: EntryError,
    },
    /// A value of the request itself, outside its entries, is invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A look-up without any identifier ([R26](crate::rulebook#r26)).
    #[error("no identifier is given, at least one is required")]
    NothingGiven,
    /// A recipient is invalid, or cannot be reached ([R39](crate::rulebook#r39)).
    #[error(transparent)]
    Recipient(RecipientError),
    /// Contacts cannot be merged, unmerged or split as asked ([R58](crate::rulebook#r58)).
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The request, or the page asked for, is larger than allowed.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The JSON text is not of the published form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The queue of the writer is full. Try again later, or use a handle that waits
    /// ([`WhenFull::Wait`](crate::WhenFull::Wait)).
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
    /// affected ([R48](crate::rulebook#r48)). This is a bug in this crate: please report it.
    #[error("deciding the request panicked; nothing of it was written")]
    Panicked,
    /// The commit that held this request failed, and it is unknown whether it took place
    /// ([R49](crate::rulebook#r49)).
    ///
    /// The store refuses writes until it is reopened. The request is in the store exactly when the
    /// number that reopening finds is at least `sequence`.
    #[error(
        "the commit failed: whether request number {sequence} is in the store is known only after reopening"
    )]
    Indeterminate {
        /// The sequence number that the request would have.
        sequence: SequenceNumber,
        /// What failed.
        #[source]
        cause: StorageError,
    },
    /// A commit failed earlier, or the file could not be read: the store refuses writes until it is
    /// reopened ([R49](crate::rulebook#r49)).
    #[error("reading or writing failed earlier: the store refuses writes until it is reopened")]
    NeedsReopen,
    /// The file was moved, replaced or removed while the store was open
    /// ([R69](crate::rulebook#r69)).
    ///
    /// The store keeps to the file that it opened. It refuses writes, since they would be lost or
    /// go unnoticed there; reads go on. It takes writes again once that file is back at its path.
    /// If the file cannot be brought back, close the store and open the right file.
    #[error(
        "the file was moved, replaced or removed: writes are refused until it is back at its path"
    )]
    FileMoved,
    /// The store was opened for reading only ([`Options::read_only`](crate::Options::read_only),
    /// [R68](crate::rulebook#r68)).
    #[error("the store is open for reading only")]
    ReadOnly,
    /// The store was closed ([R49](crate::rulebook#r49)).
    #[error("the store is closed")]
    Closed,
    /// The outcome of a pending write was already taken.
    #[error("the outcome was already taken")]
    AnswerTaken,
    /// The snapshot was taken before the store was reopened: take a new one.
    #[error("the snapshot was taken before the store was reopened")]
    SnapshotExpired,
    /// The change feed does not keep all changes after the position, or had a gap after it
    /// ([R60](crate::rulebook#r60)).
    ///
    /// The reader has missed changes: it has to read all contacts, and then go on after the position of
    /// a snapshot ([`Snapshot::newest_change`](crate::Snapshot::newest_change)) that it took before.
    #[error("the changes after the position are not all kept, only those after {oldest} are")]
    ChangesNotKept {
        /// The oldest position whose changes are all kept.
        oldest: ChangePosition,
    },
    /// The position is after the newest request of the state ([R60](crate::rulebook#r60)).
    ///
    /// The snapshot is older than the one that the position is from, or the store is an older copy.
    #[error("the position is after the newest request, which is {newest}")]
    ChangesAhead {
        /// The newest request.
        newest: SequenceNumber,
    },
    /// Another request was made under the same idempotency key ([R64](crate::rulebook#r64)). Nothing was
    /// done.
    ///
    /// A request also counts as another one when options of the store changed since, so that other
    /// entries of it are valid.
    #[error("another request was made under the same idempotency key")]
    IdempotencyKeyReused,
    /// The request has an idempotency key, and the store keeps no answers
    /// ([`Options::keep_answers`](crate::Options::keep_answers), [R64](crate::rulebook#r64)). Nothing
    /// was done.
    #[error("the request has an idempotency key, and the store keeps no answers")]
    AnswersNotKept,
    /// The file could not be closed cleanly. Everything that was acknowledged is in it. The next
    /// opening takes longer.
    #[error("the file was not closed cleanly, but everything acknowledged is in it")]
    CloseIncomplete(#[source] StorageError),
    /// The store was not copied. It is unchanged, and nothing is left of the copy; but see
    /// [`vacuum`](crate::ContactStore::vacuum).
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store could not be opened. The file is unchanged.
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
    /// A value is missing or invalid ([R13](crate::rulebook#r13)).
    #[error(transparent)]
    Field(#[from] FieldError),
    /// None of the four identifiers is given ([R13](crate::rulebook#r13)).
    #[error("at least one identifier is required")]
    NoIdentifier,
    /// The contact id names no contact, and the request refuses unknown ones
    /// ([R18](crate::rulebook#r18)). The id is not shown, because it may be a phone in the wrong
    /// place.
    #[error("the contact id names no contact")]
    UnknownContactId,
    /// The contact id belongs to an erased contact ([R18](crate::rulebook#r18)).
    #[error("contact id {0} belongs to an erased contact")]
    ContactIdErased(ContactId),
    /// The item of an upsert gives no identifier that could find its contact
    /// ([R41](crate::rulebook#r41)).
    #[error("neither externalCustomerId nor an identifier that dedupeOn names is given")]
    NothingToFindBy,
    /// The item of an upsert finds no contact, and the request only updates
    /// ([R41](crate::rulebook#r41)).
    #[error("no contact matches the item")]
    ContactNotFound,
    /// The item of an upsert finds this contact, and the request only creates
    /// ([R41](crate::rulebook#r41)).
    #[error("contact {0} already matches the item")]
    ContactExists(ContactId),
    /// An identifier of an upsert's item cannot go on the card ([R42](crate::rulebook#r42)). Either
    /// another contact has it, or the contact found has a different one that an upsert does not
    /// replace.
    #[error("{kind} conflicts with contact {contact}")]
    Conflict {
        /// The kind of identifier.
        kind: IdentifierKind,
        /// The contact that it conflicts with.
        contact: ContactId,
    },
    /// An identifier of an erased contact is suppressed ([R65](crate::rulebook#r65)).
    #[error("{kind} is suppressed")]
    Suppressed {
        /// The kind of identifier.
        kind: IdentifierKind,
    },
    /// Accepting the entry would exceed a limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// Every id that could be assigned is taken.
    #[error("no contact id is left to assign")]
    ContactIdsExhausted,
    /// A report names both a token and a subscriber id, or neither ([R36](crate::rulebook#r36)).
    #[error("exactly one of token and subscriberId is required")]
    OneOfTokenAndSubscriber,
    /// The entry is not of the published JSON form ([R55](crate::rulebook#r55)).
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Why contacts cannot be merged, unmerged or split ([R58](crate::rulebook#r58)). Nothing was
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is no contact with this id, and never was.
    #[error("contact {0} is unknown")]
    UnknownContact(ContactId),
    /// The contact was erased, or the one that it was merged into.
    #[error("contact {0} was erased")]
    ErasedContact(ContactId),
    /// Both ids of a merge lead to this contact.
    #[error("contact {0} cannot be merged into itself")]
    IntoItself(ContactId),
    /// The contact to unmerge is not merged into another.
    #[error("contact {0} is not merged into another")]
    NotMerged(ContactId),
    /// A split names no identifier to go.
    #[error("no identifier to split off is named, at least one is required")]
    NoIdentifier,
    /// A split names an identifier to go that is not on the card, or is the contact id, which
    /// stays.
    #[error("contact {contact} has no {kind} to split off")]
    NoSuchIdentifier {
        /// The contact.
        contact: ContactId,
        /// The kind of identifier.
        kind: IdentifierKind,
    },
    /// A split names a token to go that is not on the card.
    #[error("contact {contact} does not hold subscriber {subscriber}")]
    NotHeld {
        /// The contact.
        contact: ContactId,
        /// The subscriber.
        subscriber: SubscriberId,
    },
    /// Every id that could be assigned is taken.
    #[error("no contact id is left to assign")]
    ContactIdsExhausted,
}

/// Why [`Outcomes::into_single`](crate::Outcomes::into_single) has no accepted entry to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSingle {
    /// The entry was refused. Nothing of it was written.
    #[error(transparent)]
    Refused(#[from] EntryError),
    /// The request did not have exactly one entry.
    #[error("the request had {entries} entries, not one")]
    Count {
        /// The number of entries.
        entries: usize,
    },
}

/// A JSON text, or a part of it, is not of the published form ([R52](crate::rulebook#r52),
/// [R55](crate::rulebook#r55)).
///
/// The error shows where, what was expected and which type was found, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// The path of members to the place, such as `tokens[3].phone`. Empty for the whole text.
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
        /// The index of the first byte that is not UTF-8, counted from 0.
        byte: usize,
    },
    /// A byte order mark precedes the text.
    #[error("a byte order mark precedes the text")]
    ByteOrderMark,
    /// A string holds one half of a surrogate pair, which no text can hold.
    #[error("holds one half of a surrogate pair")]
    LoneSurrogate,
    /// A value of another type than expected.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The expected type.
        expected: &'static str,
        /// The type that was found.
        found: &'static str,
    },
    /// A required member is missing.
    #[error("member \"{0}\" is required")]
    Missing(&'static str),
    /// A known member is repeated.
    #[error("member \"{0}\" is repeated")]
    Repeated(&'static str),
    /// A member whose name the host chooses, such as a custom field, is repeated.
    #[error("a member with a name of {bytes} bytes is repeated")]
    RepeatedUnnamed {
        /// The length of its name.
        bytes: usize,
    },
    /// A member is unknown. Its name is 1 to 64 ASCII letters, digits or `_`, not all digits.
    #[error("member \"{0}\" is not known")]
    Unknown(String),
    /// A member is unknown. Its name is not shown, because it might be a value.
    #[error("a member with a name of {bytes} bytes is not known")]
    UnknownUnnamed {
        /// The length of its name.
        bytes: usize,
    },
    /// A time is below 10^11: it is in seconds instead of milliseconds
    /// ([R54](crate::rulebook#r54)).
    #[error("expected a time in milliseconds since 1970 UTC, found seconds: below 10^11")]
    SecondsNotMilliseconds,
    /// The value is text, but not one of the values that the member may have.
    #[error("expected {expected}")]
    NotOneOf {
        /// The values that it may have.
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
    /// The file is corrupt: it holds what this crate never writes.
    #[error("corrupt: {0}")]
    Corrupt(&'static str),
    /// An earlier failure stopped the storage engine until the store is reopened.
    #[error("stopped by an earlier failure")]
    Stopped,
    /// The storage engine panicked; the panic was caught.
    #[error("the storage engine panicked")]
    Panicked,
    /// The database of a store in PostgreSQL did not do what it was asked.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What is wrong with the PostgreSQL database that a store is in, or with the way to it.
///
/// A request that fails with it was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The URL is not one of a PostgreSQL database, or has a parameter that is not known.
    #[error("the url is not one of a postgresql database")]
    Url,
    /// No server was reached within the time given, or the connection to it was lost.
    #[error("the database server cannot be reached")]
    Unreachable,
    /// The server refused the role, its password, or the database.
    #[error("the database server refused the connection")]
    Refused,
    /// The server has no TLS where it is required, or its certificate is not valid.
    #[error("no tls connection to the database server can be made")]
    Tls,
    /// A file with a root certificate cannot be read.
    #[error("the root certificate of the database server cannot be read")]
    RootCertificate,
    /// The schema does not have the tables of a store, and none are to be made.
    #[error("the schema has no contact store")]
    NotOurSchema,
    /// A newer version of this crate made the schema.
    #[error("the schema has version {found}, the newest known is {known}")]
    NewerSchema {
        /// The version of the schema.
        found: u32,
        /// The newest version that this crate knows.
        known: u32,
    },
    /// An older version of this crate made the schema, and it is not to be migrated.
    #[error(
        "the schema has version {found}, this version works with {known}: open it with the option upgrade"
    )]
    OldSchema {
        /// The version of the schema.
        found: u32,
        /// The version that this crate works with.
        known: u32,
    },
    /// The server is a standby, or allows no writes.
    #[error("the database server is read-only")]
    ReadOnlyServer,
    /// The database is not encoded in UTF-8.
    #[error("the database is not encoded in utf-8")]
    Encoding,
    /// The server does not give the isolation of transactions that it was asked for.
    #[error("the database server gives another isolation of transactions")]
    Isolation,
    /// The server acknowledges commits that are not on disk, and the options do not allow that.
    #[error("the database server has synchronous_commit off")]
    SynchronousCommitOff,
    /// Other hosts kept the order of requests for longer than is waited for it.
    #[error("other hosts kept the order of requests too long")]
    Contended,
    /// All connections of the store's pool are in use by snapshots.
    #[error("all {most} connections are in use by snapshots")]
    NoConnection {
        /// How many there are.
        most: usize,
    },
    /// The server has no room: on its disk, in its memory, or for one more connection.
    #[error("the database server has no room")]
    Full,
    /// The server refused a statement.
    #[error("the database server refused a statement (sqlstate {})", text(.0))]
    Statement([u8; 5]),
}

/// The text of an SQLSTATE.
fn text(state: &[u8; 5]) -> &str {
    str::from_utf8(state).unwrap_or("?????")
}

/// Why a copy of a store could not be made ([R66](crate::rulebook#r66),
/// [R67](crate::rulebook#r67)). Whatever was written of it was removed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There already is a file with the name of the copy.
    #[error("a file already exists where the copy should be")]
    AlreadyExists,
    /// The path of the copy does not end in a name.
    #[error("the path of the copy does not name a file")]
    NotAFile,
    /// The store is in a database. Its server has tools for that.
    #[error("the store is in no file")]
    NoFile,
    /// Another vacuum of the store is under way.
    #[error("another vacuum of the store is under way")]
    AlreadyRunning,
    /// The caller's function cancelled the copy.
    #[error("the copy was cancelled")]
    Cancelled,
    /// The system provided no random bytes for a temporary name.
    #[error("the system provided no random bytes")]
    Random,
    /// Writing the copy failed.
    #[error("writing the copy failed: {0}")]
    Storage(#[source] StorageError),
}

/// Why a store cannot be opened ([R50](crate::rulebook#r50), [R51](crate::rulebook#r51),
/// [R53](crate::rulebook#r53)). The file was not changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file does not exist, and the options say not to create one.
    #[error("the file does not exist")]
    NotFound,
    /// The file already exists, and the options say to create it.
    #[error("the file already exists")]
    AlreadyExists,
    /// This or another process has the store open to write, or reads a file that nobody writes to
    /// ([`Options::read_only`](crate::Options::read_only)).
    #[error("the file is open elsewhere")]
    AlreadyOpen,
    /// The path ends in a symbolic link.
    #[error("the path ends in a symbolic link")]
    SymbolicLink,
    /// The path names something that is not a file.
    #[error("the path does not name a regular file")]
    NotAFile,
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The creation of the file was interrupted, or its beginning was overwritten.
    #[error("the file was never completely created")]
    HalfCreated,
    /// The file is not a contact store.
    #[error("the file is not a contact store")]
    Foreign,
    /// The file has an older format. Open it with [`Options::upgrade`](crate::Options::upgrade) to
    /// upgrade it.
    #[error(
        "the file has format {found}, this version works with {known}: open it with the option upgrade"
    )]
    OldFormat {
        /// The format of the file.
        found: u32,
        /// The oldest format that this version works with.
        known: u32,
    },
    /// A newer version of this crate wrote the file.
    #[error("the file has format {found}, the newest known is {known}")]
    NewerFormat {
        /// The format of the file.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// The identifiers in the file have canonical forms of another version
    /// ([R7](crate::rulebook#r7)).
    #[error("the file has canonical forms of version {found} ({}), this build makes version {known} ({})", idn(.found_idn), idn(.known_idn))]
    OtherCanonicalForms {
        /// The version in the file.
        found: u32,
        /// Whether a build with `idn` made the file.
        found_idn: bool,
        /// The version of this build.
        known: u32,
        /// Whether this build has `idn`.
        known_idn: bool,
    },
    /// The file is a contact store, but is damaged.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// The options set a limit higher than it may be.
    #[error(transparent)]
    LimitTooHigh(#[from] LimitTooHigh),
    /// The options set a limit to zero.
    #[error(transparent)]
    LimitZero(#[from] LimitZero),
    /// The operating system refused an operation on the file.
    #[error("input or output failed ({})", .0.kind())]
    Io(#[source] Arc<io::Error>),
    /// A thread of the store could not be started.
    #[error("a thread could not be started ({})", .0.kind())]
    Thread(#[source] Arc<io::Error>),
    /// The system provided no random bytes for the keys of a new file.
    #[error("the system provided no random bytes")]
    Random,
    /// The database of a store in PostgreSQL cannot be used. Nothing in it was changed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
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
            StorageError::Database(error) => OpenError::Database(error),
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
