//! An embedded contact store.

mod add_tokens;
mod app;
mod connect_app;
mod contact;
mod erase;
mod error;
mod fault;
mod forget_messages;
mod holding;
mod identifier;
pub mod limits;
mod matching;
mod operation;
mod options;
mod record_reports;
mod remove_token;
mod report;
mod rules;
mod sequence;
mod snapshot;
mod storage;
mod store;
mod subscriber;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod text;
mod time;
mod token;
pub mod wire;
mod writer;

pub use add_tokens::{AddTokens, Applied, TokenAdded, TokenEntry, TokenPlace, TokensAdded};
pub use app::{AccessKey, App, AppId, AppName, NotAUuid};
pub use connect_app::ConnectApp;
pub use contact::{Card, HeldToken};
pub use erase::Erased;
pub use error::{EntryError, Error, JsonError, JsonFault, OpenError, StorageError};
pub use fault::{Fault, Field, FieldError};
pub use forget_messages::MessagesForgotten;
pub use identifier::{
    ContactId, Email, ExternalId, GivenIdentifiers, IdentifierKind, Identifiers, KindSet, Phone,
};
pub use limits::{Limit, LimitExceeded, Limits};
pub use matching::{Decision, Explanation};
pub use options::{Check, Create, Options, WhenFull};
pub use record_reports::{RecordReports, Report, ReportOutcome};
pub use remove_token::{RemoveToken, TokenRemoved};
pub use report::{MessageId, MessageTally, Status};
pub use rules::{
    BatchMode, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership, UnknownContactId,
};
pub use sequence::{Committed, SequenceNumber};
pub use snapshot::{Found, Snapshot};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use storage::Disk;
pub use storage::{Problem, Verified};
pub use store::{ContactStore, Stats};
pub use subscriber::{StatusCounts, Subscriber, SubscriberId};
pub use time::{Clock, SystemClock, Timestamp};
pub use token::Token;
pub use writer::Pending;
