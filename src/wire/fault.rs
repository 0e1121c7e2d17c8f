//! Errors in their published form: a stable code, a message, and the parts that a program may need.
//!
//! No form holds a value of a request (R52). The messages are those of the errors themselves.

use serde::Serialize;

use crate::error::{
    CopyError, DatabaseError, EntryError, Error, JsonError, JsonFault, MergeError, OpenError,
    StorageError,
};
use crate::limits::{Limit, LimitExceeded};
use crate::model::fault::{Fault, FieldError};
use crate::model::identifier::ContactId;
use crate::model::recipient::RecipientError;

/// Returns the published code of an error. See the [list](super#codes).
#[must_use]
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::UnknownApp(_) => "unknownApp",
        Error::EntryRefused { .. } => "entryRefused",
        Error::Field(error) => field_code(error),
        Error::NothingGiven => "nothingGiven",
        Error::Recipient(error) => recipient_code(error),
        Error::Merge(error) => merge_code(error),
        Error::LimitExceeded(_) => "limitExceeded",
        Error::Json(error) => json_code(error),
        Error::Busy { .. } => "busy",
        Error::Panicked => "panicked",
        Error::Indeterminate { .. } => "indeterminate",
        Error::NeedsReopen => "needsReopen",
        Error::FileMoved => "fileMoved",
        Error::ReadOnly => "readOnly",
        Error::Closed => "closed",
        Error::AnswerTaken => "answerTaken",
        Error::SnapshotExpired => "snapshotExpired",
        Error::ChangesNotKept { .. } => "changesNotKept",
        Error::ChangesAhead { .. } => "changesAhead",
        Error::IdempotencyKeyReused => "idempotencyKeyReused",
        Error::AnswersNotKept => "answersNotKept",
        Error::CloseIncomplete(_) => "closeIncomplete",
        Error::Copy(error) => copy_code(error),
        Error::Open(error) => open_code(error),
        Error::Storage(error) => storage_code(error),
    }
}

/// Returns the published code of the error of one entry. See the [list](super#codes).
#[must_use]
pub fn entry_code(error: &EntryError) -> &'static str {
    match error {
        EntryError::Field(error) => field_code(error),
        EntryError::NoIdentifier => "noIdentifier",
        EntryError::UnknownContactId => "unknownContactId",
        EntryError::ContactIdErased(_) => "contactIdErased",
        EntryError::NothingToFindBy => "nothingToFindBy",
        EntryError::ContactNotFound => "contactNotFound",
        EntryError::ContactExists(_) => "contactExists",
        EntryError::Conflict { .. } => "conflict",
        EntryError::Suppressed { .. } => "suppressed",
        EntryError::LimitExceeded(_) => "limitExceeded",
        EntryError::ContactIdsExhausted => "contactIdsExhausted",
        EntryError::OneOfTokenAndSubscriber => "oneOfTokenAndSubscriber",
        EntryError::Json(error) => json_code(error),
    }
}

fn recipient_code(error: &RecipientError) -> &'static str {
    match error {
        RecipientError::NothingGiven => "noRecipient",
        RecipientError::AppWithoutNumber => "appWithoutNumber",
        RecipientError::NumberWithoutApp => "numberWithoutApp",
        RecipientError::Number(error) => field_code(error),
        RecipientError::UnknownSubscriber(_) => "unknownSubscriber",
        RecipientError::UnknownContact => "unknownContact",
        RecipientError::NoToken { .. } => "noToken",
    }
}

fn merge_code(error: &MergeError) -> &'static str {
    match error {
        MergeError::UnknownContact(_) => "unknownContact",
        MergeError::ErasedContact(_) => "erasedContact",
        MergeError::IntoItself(_) => "mergeIntoItself",
        MergeError::NotMerged(_) => "notMerged",
        MergeError::NoIdentifier => "noIdentifier",
        MergeError::NoSuchIdentifier { .. } => "noSuchIdentifier",
        MergeError::NotHeld { .. } => "notHeld",
        MergeError::ContactIdsExhausted => "contactIdsExhausted",
    }
}

fn field_code(error: &FieldError) -> &'static str {
    match error.fault() {
        Fault::Blank => "blank",
        Fault::TooLong { .. } => "tooLong",
        Fault::ContactIdOutOfRange => "contactIdOutOfRange",
        Fault::ForbiddenCharacter => "forbiddenCharacter",
        Fault::Placeholder => "placeholder",
        Fault::NotADigit => "notADigit",
        Fault::MisplacedPlus => "misplacedPlus",
        Fault::AmbiguousMark { .. } => "ambiguousMark",
        Fault::DigitCount { .. } => "digitCount",
        Fault::LeadingZero => "leadingZero",
        Fault::AmbiguousZero => "ambiguousZero",
        Fault::NoAtSign => "noAtSign",
        Fault::LocalPartLength { .. } => "localPartLength",
        Fault::LocalPartWhiteSpace => "localPartWhiteSpace",
        Fault::NotOneAddress => "notOneAddress",
        Fault::DomainLength { .. } => "domainLength",
        Fault::DomainLabel => "domainLabel",
        Fault::NonAsciiDomain => "nonAsciiDomain",
        Fault::Idna => "idna",
        Fault::NotAUuid => "notAUuid",
        Fault::NotASubscriberId => "notASubscriberId",
        Fault::NotAChangePosition => "notAChangePosition",
        Fault::NotOneOf { .. } => "notOneOf",
    }
}

fn json_code(error: &JsonError) -> &'static str {
    match error.fault {
        JsonFault::Syntax { .. } => "syntax",
        JsonFault::NotUtf8 { .. } => "notUtf8",
        JsonFault::ByteOrderMark => "byteOrderMark",
        JsonFault::LoneSurrogate => "loneSurrogate",
        JsonFault::WrongType { .. } => "wrongType",
        JsonFault::Missing(_) => "missingMember",
        JsonFault::Repeated(_) | JsonFault::RepeatedUnnamed { .. } => "repeatedMember",
        JsonFault::Unknown(_) | JsonFault::UnknownUnnamed { .. } => "unknownMember",
        JsonFault::SecondsNotMilliseconds => "secondsNotMilliseconds",
        JsonFault::NotOneOf { .. } => "notOneOf",
    }
}

fn copy_code(error: &CopyError) -> &'static str {
    match error {
        CopyError::AlreadyExists => "copyAlreadyExists",
        CopyError::NotAFile => "copyNotAFile",
        CopyError::NoFile => "storeInNoFile",
        CopyError::AlreadyRunning => "copyAlreadyRunning",
        CopyError::Cancelled => "copyCancelled",
        CopyError::Random => "noRandomBytes",
        CopyError::Storage(_) => "copyFailed",
    }
}

fn open_code(error: &OpenError) -> &'static str {
    match error {
        OpenError::NotFound => "notFound",
        OpenError::AlreadyExists => "alreadyExists",
        OpenError::AlreadyOpen => "alreadyOpen",
        OpenError::SymbolicLink => "symbolicLink",
        OpenError::NotAFile => "notAFile",
        OpenError::Empty => "emptyFile",
        OpenError::HalfCreated => "halfCreated",
        OpenError::Foreign => "foreignFile",
        OpenError::OldFormat { .. } => "oldFormat",
        OpenError::NewerFormat { .. } => "newerFormat",
        OpenError::OtherCanonicalForms { .. } => "otherCanonicalForms",
        OpenError::Damaged(_) => "damaged",
        OpenError::LimitTooHigh(_) => "limitTooHigh",
        OpenError::LimitZero(_) => "limitZero",
        OpenError::Io(_) => "io",
        OpenError::Thread(_) => "noThread",
        OpenError::Random => "noRandomBytes",
        OpenError::Database(error) => database_code(*error),
    }
}

fn database_code(error: DatabaseError) -> &'static str {
    match error {
        DatabaseError::Url => "databaseUrl",
        DatabaseError::Unreachable => "databaseUnreachable",
        DatabaseError::Refused => "databaseRefused",
        DatabaseError::Tls => "databaseTls",
        DatabaseError::RootCertificate => "databaseRootCertificate",
        DatabaseError::NotOurSchema => "notOurSchema",
        DatabaseError::NewerSchema { .. } => "newerSchema",
        DatabaseError::OldSchema { .. } => "oldSchema",
        DatabaseError::ReadOnlyServer => "databaseReadOnly",
        DatabaseError::Encoding => "databaseEncoding",
        DatabaseError::Isolation => "databaseIsolation",
        DatabaseError::SynchronousCommitOff => "synchronousCommitOff",
        DatabaseError::Contended => "databaseContended",
        DatabaseError::NoConnection { .. } => "noDatabaseConnection",
        DatabaseError::Full => "databaseFull",
        DatabaseError::Statement(_) => "databaseStatement",
    }
}

fn storage_code(error: &StorageError) -> &'static str {
    match error {
        StorageError::Io(_) => "io",
        StorageError::Corrupt(_) => "corrupt",
        StorageError::Stopped => "storageStopped",
        StorageError::Panicked => "storagePanicked",
        StorageError::Database(error) => database_code(*error),
    }
}

fn limit_name(limit: Limit) -> &'static str {
    match limit {
        Limit::TokensPerContact => "tokensPerContact",
        Limit::ContactsPerToken => "contactsPerToken",
        Limit::EntriesPerRequest => "entriesPerRequest",
        Limit::RequestTextBytes => "requestTextBytes",
        Limit::CustomFieldsPerContact => "customFieldsPerContact",
        Limit::CardTextBytes => "cardTextBytes",
        Limit::SuppressedIdentifiers => "suppressedIdentifiers",
        Limit::SubscribersOfApp => "subscribersOfApp",
        Limit::AnswerBytes => "answerBytes",
        Limit::AppConnections => "appConnections",
        Limit::MergesPerContact => "mergesPerContact",
        Limit::PageRows => "pageRows",
    }
}

/// An error, in its published form: `{"error": {"code", "message", ...}}`.
#[must_use]
pub fn error(error: &Error) -> impl Serialize {
    Refused {
        error: Box::new(form(error, None)),
    }
}

/// The error of one entry, in the same form as [`error`], as in the `results`.
#[must_use]
pub fn entry_error(error: &EntryError) -> impl Serialize {
    Refused::entry(error)
}

/// The error of one line of a log, in the same form as [`error`], with its `line`, counted from 1.
#[must_use]
pub fn error_at_line(error: &Error, line: u64) -> impl Serialize {
    Refused {
        error: Box::new(form(error, Some(line))),
    }
}

#[derive(Serialize)]
pub(super) struct Refused {
    error: Box<Form>,
}

impl Refused {
    pub(super) fn plain(code: &'static str, message: &str) -> Self {
        Refused {
            error: Box::new(Form {
                code,
                message: message.to_owned(),
                ..Form::default()
            }),
        }
    }

    pub(super) fn entry(error: &EntryError) -> Self {
        Refused {
            error: Box::new(entry_form(error)),
        }
    }
}

/// Members that do not apply are left out (R55).
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    code: &'static str,
    message: String,
    /// The field whose value is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// The path of members to what is not of the published form.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The limit that would have been exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    /// The amount that there would have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<u64>,
    /// The most that there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u64>,
    /// The kind of identifier that conflicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// The contact that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<u64>,
    /// The number that the request would have, or the number of the newest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// The oldest position whose changes are all kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
    /// The index of the refused entry, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<usize>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<Form>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
}

impl Form {
    fn field(mut self, error: &FieldError) -> Self {
        self.field = Some(error.field().as_str());
        self
    }

    fn json(mut self, error: &JsonError) -> Self {
        self.path = (!error.path.is_empty()).then(|| error.path.clone());
        self
    }

    fn limit(mut self, error: &LimitExceeded) -> Self {
        self.limit = Some(limit_name(error.limit));
        self.actual = Some(error.actual);
        self.most = Some(error.most);
        self
    }
}

fn form(error: &Error, line: Option<u64>) -> Form {
    let plain = Form {
        code: code(error),
        message: error.to_string(),
        line,
        ..Form::default()
    };
    match error {
        Error::Field(error) => plain.field(error),
        Error::Json(error) => plain.json(error),
        Error::LimitExceeded(error) => plain.limit(error),
        Error::EntryRefused { index, error } => Form {
            entry: Some(*index),
            cause: Some(Box::new(entry_form(error))),
            ..plain
        },
        Error::Recipient(RecipientError::NoToken { contact, .. }) => Form {
            contact_id: Some(contact.value()),
            ..plain
        },
        Error::ChangesNotKept { oldest } => Form {
            oldest: Some(oldest.to_string()),
            ..plain
        },
        Error::ChangesAhead { newest } => Form {
            sequence: Some(newest.value()),
            ..plain
        },
        Error::Merge(error) => Form {
            kind: match error {
                MergeError::NoSuchIdentifier { kind, .. } => Some(kind.as_str()),
                _ => None,
            },
            contact_id: merge_contact(error).map(ContactId::value),
            ..plain
        },
        Error::Indeterminate { sequence, cause } => Form {
            message: format!("{error}: {cause}"),
            sequence: Some(sequence.value()),
            ..plain
        },
        _ => plain,
    }
}

/// The contact that such an error is about.
fn merge_contact(error: &MergeError) -> Option<ContactId> {
    match *error {
        MergeError::UnknownContact(contact)
        | MergeError::ErasedContact(contact)
        | MergeError::IntoItself(contact)
        | MergeError::NotMerged(contact)
        | MergeError::NoSuchIdentifier { contact, .. }
        | MergeError::NotHeld { contact, .. } => Some(contact),
        MergeError::NoIdentifier | MergeError::ContactIdsExhausted => None,
    }
}

fn entry_form(error: &EntryError) -> Form {
    let plain = Form {
        code: entry_code(error),
        message: error.to_string(),
        ..Form::default()
    };
    match error {
        EntryError::Field(error) => plain.field(error),
        EntryError::Json(error) => plain.json(error),
        EntryError::LimitExceeded(error) => plain.limit(error),
        EntryError::ContactIdErased(id) | EntryError::ContactExists(id) => Form {
            contact_id: Some(id.value()),
            ..plain
        },
        EntryError::Suppressed { kind } => Form {
            kind: Some(kind.as_str()),
            ..plain
        },
        EntryError::Conflict { kind, contact } => Form {
            kind: Some(kind.as_str()),
            contact_id: Some(contact.value()),
            ..plain
        },
        _ => plain,
    }
}
