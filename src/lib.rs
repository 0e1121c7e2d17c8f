//! An embedded contact store: who is who by contact id, customer id, phone and email, and which chat
//! tokens reach them, in durable [redb](https://docs.rs/redb) transactions.
//!
//! A host service links this crate and passes it what arrives: chat tokens with identifiers,
//! delivery reports, contact data. The store keeps one [`Card`] for each contact and finds it by
//! any of its identifiers. It appends any number of tokens to the card, removes a token when the
//! person blocks the bot, and says where a message for a person has to go. The rules come from
//! published guides. They are numbered in [`rulebook`], and each has a test.
//!
//! It is not a server and sends no messages. It trusts identifiers: the host must establish that a
//! person really has one before passing it in.
//!
//! # Example
//!
//! ```
//! use contact_store::{
//!     AddTokens, AppId, AppName, ConnectApp, ContactStore, GivenIdentifiers, MatchPolicy, Options,
//!     RecordReports, Report, ReportOutcome, Status, TokenEntry,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("contacts.redb");
//! let store = ContactStore::open(path, Options::default())?;
//! // Under an id of its own: without one, each start would connect another app.
//! let bot = AppId::parse("6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f")?;
//! store.connect_app(ConnectApp::new(AppName::parse("Shop bot")?).id(bot)).wait()?;
//!
//! // Two requests with the same email: both tokens end up on one card.
//! for token in ["100200300", "100200301"] {
//!     let entry = TokenEntry::new(token).email("Ann@Example.com");
//!     store.add_tokens(AddTokens::new(bot).entry(entry)).wait()?;
//! }
//! let ann = GivenIdentifiers::new().email("ann@example.com").parse()?;
//! let found = store.snapshot()?.find(&ann, MatchPolicy::Cascade)?.ok_or("just added")?;
//! assert_eq!(found.card.tokens.len(), 2);
//!
//! // The person blocks the bot in one of the chats.
//! let blocked = Report::new(Status::Failed).token("100200300").reason("Forbidden");
//! let reported = store.record_reports(RecordReports::new(bot).report(blocked)).wait()?;
//! let removed = ReportOutcome::Removed { from: vec![found.card.id] };
//! assert_eq!(reported.outcome.into_single()?, removed);
//! let card = store.snapshot()?.contact(found.card.id)?.ok_or("still there")?;
//! assert_eq!(card.tokens.len(), 1);
//! store.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! | to | use |
//! | --- | --- |
//! | open, reopen, close | [`ContactStore`], [`Options`] |
//! | connect a bot | [`ConnectApp`] |
//! | add tokens, create contacts | [`AddTokens`] of [`TokenEntry`]s, outcome [`TokensAdded`] |
//! | record delivery reports | [`RecordReports`] of [`Report`]s, outcome [`ReportOutcome`] |
//! | create and update contacts | [`Upsert`] of [`ContactUpdate`]s, outcome [`ContactUpserted`] |
//! | find out where to send a message | [`Snapshot::resolve`] a [`Recipient`], outcome [`Resolved`] |
//! | make two contacts one, and take them apart | [`Merge`], [`ContactStore::unmerge`], [`Split`] |
//! | erase a contact, remove a token | [`Erase`], [`RemoveToken`] |
//! | refuse the identifiers of an erased contact | [`Erase::suppress`], [`ContactStore::lift_suppression`] |
//! | follow a chat whose id changed | [`RenameToken`], outcome [`TokenRenamed`] |
//! | leave a subscriber out for a while | [`Mute`], [`Unmute`] |
//! | take back a person that unblocked the bot | [`BringBack`], outcome [`TokenBroughtBack`] |
//! | remove what was not heard of for long | [`RemoveStale`], outcome [`StaleRemoved`] |
//! | work off contacts that may be one person | [`Options::conflicts`], [`Snapshot::conflicts`], [`ContactStore::dismiss_conflict`] |
//! | wait for a write, or await it | [`Pending`] |
//! | repeat a request that must not be done twice | [`Options::keep_answers`], [`ContactStore::once`] |
//! | follow what changes | [`Options::change_feed`], [`Snapshot::changes`], [`ContactStore::wait_for_changes`] |
//! | find, explain, list, verify | [`Snapshot`] |
//! | back up an open store; open a file for reading only | [`Snapshot::backup`]; [`Options::read_only`] |
//! | make its file short, without what was erased | [`ContactStore::vacuum`] |
//! | keep it in PostgreSQL, for several hosts | [the section below](#on-postgresql), with the feature `postgres` |
//! | export every contact | [`Snapshot::iter_contacts`], [`wire::card`] |
//! | export and import a whole store | the module `transfer`, with the feature of that name |
//! | test a host with a clock | [`ManualClock`], [`ContactStore::open_in_memory`] |
//! | bring identifiers to canonical form | [`GivenIdentifiers::parse`], [`Phone`], [`Email`] |
//! | speak the published JSON | [`wire`] |
//! | watch it work | [`ContactStore::stats`], outcome [`Stats`], [`Stats::write_prometheus`] |
//! | learn what failed, and what it left behind | [`Error`], and what to do about it: [`Error::advice`] |
//! | keep a store open through failures | [`ContactStore::keep_open`] |
//!
//! # Many threads
//!
//! A [`ContactStore`] is a handle: clone it into every thread. The store has one writer thread. It
//! decides the waiting requests in the order in which they were made and commits them together, so
//! many callers share one sync of the disk. Reads never wait for writes: they see the last durable
//! state.
//!
//! On a thread, wait: `store.add_tokens(request).wait()`.
//!
//! ```
//! use contact_store::{ContactStore, ContactUpdate, DedupeOn, Options, Upsert};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = ContactStore::open_in_memory(Options::default())?;
//!     std::thread::scope(|scope| {
//!         for worker in 0..4 {
//!             let store = store.clone();
//!             scope.spawn(move || {
//!                 let update = ContactUpdate::new()
//!                     .external_customer_id(format!("crm-{worker}"))
//!                     .first_name("Ann");
//!                 // The four may share one commit. Each comes back when its own is durable.
//!                 store.upsert(Upsert::new(DedupeOn::ExternalCustomerId).contact(update)).wait()
//!             });
//!         }
//!     });
//!     assert_eq!(store.stats()?.contacts, 4);
//!     Ok(store.close()?)
//! }
//! ```
//!
//! In a task of any async runtime, await: `store.add_tokens(request).await`. Opening, closing,
//! reopening and reads may wait for the disk. In a task, move them to a thread that may block, as
//! tokio's `spawn_blocking` does.
//!
//! ```
//! use contact_store::{ContactStore, GivenIdentifiers, MatchPolicy, Options};
//! use contact_store::{AddTokens, AppId, AppName, ConnectApp, TokenEntry};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = ContactStore::open_in_memory(Options::default())?; // reads a file: before serving
//!     let bot = AppId::parse("6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f")?;
//!     store.connect_app(ConnectApp::new(AppName::parse("Shop bot")?).id(bot)).await?;
//!     let entry = TokenEntry::new("100200300").email("ann@example.com");
//!     store.add_tokens(AddTokens::new(bot).entry(entry)).await?;
//!
//!     let ann = GivenIdentifiers::new().email("ann@example.com").parse()?;
//!     let reader = store.clone();
//!     let found = tokio::task::spawn_blocking(move || {
//!         reader.snapshot()?.find(&ann, MatchPolicy::Cascade)
//!     });
//!     assert!(found.await??.is_some());
//!     tokio::task::spawn_blocking(move || store.close()).await??;
//!     Ok(())
//! }
//! ```
//!
//! `examples/service.rs` is a small service, and `examples/host.rs` a complete one.
//!
//! # On PostgreSQL
//!
//! A file serves one process that writes, on one machine. With the feature `postgres`,
//! `ContactStore::connect(&PostgresOptions::new(url), options)` opens a store in a PostgreSQL database: any number of
//! hosts open it at once, and all may write. The handle, the requests, the rules and the errors are the same. Use it
//! when the store must outlive a machine, or when several hosts must write. Otherwise a file is faster.
//!
//! - **To move there**, export the file and import it into the database, with `transfer` or with
//!   `contact-store export` and `import`; the way back is the same. Ids, numbers of apps and erased ids are kept. No
//!   host should write meanwhile.
//! - **A snapshot is a connection**, from when it is taken until it is dropped, and a transaction on the server. Take
//!   one, read, drop it. Each read asks the database, so a read costs a round trip or a few. Nothing is cached.
//! - **A group of requests is one transaction**, which holds a lock that orders the requests of all hosts
//!   ([R47](crate::rulebook#r47)). It takes a few round trips, however many requests are in it.
//! - **What only a file has is refused**: [`Snapshot::backup`] and [`ContactStore::vacuum`] fail with
//!   [`CopyError::NoFile`]. The server has tools for both. Options of caches and of checks on opening do nothing.
//! - **A lost connection** in a commit is [`Error::Indeterminate`], and [`reopen`](ContactStore::reopen) settles it, as
//!   of a file. Otherwise the request was not written, and may be made again ([`Error::advice`]).
//! - **All hosts of a store open it with the same options**, and with clocks that agree: each request has the time of its
//!   own host. A host without the change feed lets it begin anew for all. Waiting for changes hears of those of other
//!   hosts, too. A request in steps under an idempotency key is waited for by the one that repeats it on its own
//!   host only.
//! - **[`Stats`]** say in `engine` and `database` what the connections do. Their counts are those of the state that this
//!   host committed or read last.
//!
//! [`reliability`] says what is promised with which settings of the server.
//!
//! # Promises
//!
//! - When a call returns `Ok`, its change survives a kill and a power cut. A change is never half
//!   visible.
//! - What a [`Snapshot`] shows is durable and belongs to one [`SequenceNumber`].
//! - Requests that share a commit stay independent: one that is refused or panics does not affect
//!   the others.
//! - After a failed commit the store says so ([`Error::Indeterminate`]) and refuses writes.
//!   [`ContactStore::reopen`] tells which requests are in the store.
//! - A file that is not a sound store is refused with an [`OpenError`] and is not changed. No input
//!   and no file makes a call panic (this does not cover a host built with `panic = "abort"`).
//! - One process at a time writes to a file. Any number of others may read it meanwhile
//!   ([`Options::read_only`]).
//! - No phone, email, customer id, token, field or secret is in `Debug` output, errors or panic
//!   messages. Contact ids are the store's own numbers, and are shown.
//!
//! - Files are readable by their owner alone. On systems without Unix modes the directory decides
//!   who may read a new file. On systems that cannot sync directories, a power cut right after
//!   creation may lose the whole file.
//!
//! [`reliability`] says how each promise is kept and tested, what the tests found, and what is not
//! promised.
//!
//! # Features
//!
//! - `cli` (off): the command-line tool `contact-store`, and the crates that it needs. The library is
//!   the same with it.
//! - `idn` (off): non-ASCII email domains go through IDNA (strict) instead of being refused. A file
//!   made with this feature opens only in builds with it, and a file made without it only in builds
//!   without it ([R7](crate::rulebook#r7)).
//! - `postgres` (off): stores in a PostgreSQL database, [which several hosts write to](#on-postgresql), and the crates that
//!   this needs.
//! - `serde` (off): `Serialize` and `Deserialize` for ids, times, statuses, options and counts,
//!   never for personal data. The JSON of that is in [`wire`].
//! - `tracing` (off): spans for opening, reopening, commits and verifying, without personal data
//!   ([R52](crate::rulebook#r52)).
//! - `transfer` (off): the module `transfer`, which exports and imports whole stores and contacts
//!   ([R70](crate::rulebook#r70)).

#[doc = include_str!("rules.md")]
pub mod rulebook {}

#[doc = include_str!("reliability.md")]
pub mod reliability {}

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod advice;
mod backup;
mod block_on;
mod callback;
mod error;
mod keep_open;
pub mod limits;
mod model;
mod opening;
mod operations;
mod options;
mod pages;
mod pinned;
#[cfg(feature = "postgres")]
mod postgres;
mod prometheus;
mod rules;
#[cfg(feature = "serde")]
mod serialized;
mod snapshot;
mod stats;
mod storage;
mod store;
mod sync;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod trace;
#[cfg(feature = "transfer")]
pub mod transfer;
mod vacuum;
mod varint;
pub mod wire;
mod writer;

pub use advice::Advice;
pub use backup::{Backup, CopyProgress};

pub use error::{
    CopyError, DatabaseError, EntryError, Error, JsonError, JsonFault, MergeError, NotSingle,
    OpenError, StorageError,
};
pub use keep_open::{Backoff, KeepOpen, Reopening};
pub use limits::{Limit, LimitExceeded, LimitTooHigh, LimitZero, Limits};
pub use model::app::{AccessKey, App, AppId, AppName};
pub use model::change::{Change, ChangePage, ChangePosition, Changed, KeepChanges, TokenLoss};
pub use model::conflict::{Conflict, InConflict};
pub use model::contact::{Card, HeldToken};
pub use model::fault::{Fault, Field, FieldError, PhoneMark};
pub use model::fields::{ContactFields, FieldNames};
pub use model::holders::Holders;
pub use model::idempotency_key::{IdempotencyKey, KeepAnswers};
pub use model::identifier::{
    ContactId, Email, ExternalCustomerId, GivenIdentifiers, IdentifierKind, Identifiers, KindSet,
    Phone,
};
pub use model::placeholders::Placeholders;
pub use model::recipient::{
    Address, GivenRecipient, LeftOut, Recipient, RecipientError, Resolve, Resolved,
};
pub use model::report::{GonePhrases, MessageId, MessageTally, Status, StatusCounts};
pub use model::send_request::{Auth, Button, SendRequest};
pub use model::sequence::{Committed, SequenceNumber};
pub use model::subscriber::{MuteEnd, Subscriber, SubscriberId, SubscriberRef};
pub use model::time::{Clock, ManualClock, SystemClock, Timestamp};
pub use model::token::Token;
pub use opening::{Opening, OpeningStage};
pub use operations::add_tokens::{
    AddTokens, OptionsInForce, TokenAdded, TokenEntry, TokenPlace, TokensAdded,
};
pub use operations::bring_back::{BringBack, TokenBroughtBack};
pub use operations::connect_app::ConnectApp;
pub use operations::dismiss_conflict::ConflictDismissed;
pub use operations::erase::{Erase, Erased};
pub use operations::explain::{Decision, Explanation};
pub use operations::forget_messages::MessagesForgotten;
pub use operations::lift_suppression::SuppressionLifted;
pub use operations::merge::{Merge, Merged, MergedContact};
pub use operations::mute::{Mute, TokenMuted, TokenUnmuted, Unmute};
pub use operations::outcomes::Outcomes;
pub use operations::record_reports::{RecordReports, Report, ReportOutcome};
pub use operations::remove_stale::{RemoveStale, StaleRemoved};
pub use operations::remove_token::{RemoveToken, TokenRemoved};
pub use operations::rename_token::{RenameToken, TokenRenamed};
pub use operations::split::{Split, SplitOff};
pub use operations::unmerge::{NotGivenBack, Unmerged};
pub use operations::upsert::{CardChange, ContactUpdate, ContactUpserted, Upsert, ValueChange};
pub use options::{Check, Create, OptionValues, Options, WhenFull};
pub use pages::ContactPage;
#[cfg(feature = "postgres")]
pub use postgres::PostgresOptions;
pub use rules::{
    BatchMode, DedupeOn, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership,
    UnknownContactId, UpsertMode,
};
pub use snapshot::{Found, Snapshot};
pub use stats::{AnswerStats, ChangeStats, DatabaseStats, Histogram, OperationStats, Space, Stats};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use storage::Disk;
pub use storage::{Problem, Verified};
pub use store::ContactStore;
pub use vacuum::Vacuumed;
pub use writer::{Pending, WaitForChanges};
