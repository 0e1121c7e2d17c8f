//! The store's handle, with one method for each operation.
//!
//! Only this module reads the clock for a write, and the snapshot for a read (R54). What an operation does is in the module of its name.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::backup::CopyProgress;
use crate::error::{Error, OpenError};
use crate::limits::LimitExceeded;
use crate::model::app::AppId;
use crate::model::change::ChangePosition;
use crate::model::idempotency_key::IdempotencyKey;
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::operations::add_tokens::{AddTokens, TokensAdded};
use crate::operations::bring_back::{BringBack, TokenBroughtBack};
use crate::operations::connect_app::{ConnectApp, DisconnectApp};
use crate::operations::described::{Described, Description};
use crate::operations::dismiss_conflict::{ConflictDismissed, DismissConflict};
use crate::operations::erase::{Erase, Erased};
use crate::operations::explain::ExplainedBy;
use crate::operations::forget_messages::{ForgetMessages, MessagesForgotten};
use crate::operations::lift_suppression::{LiftSuppression, SuppressionLifted};
use crate::operations::merge::{Merge, Merged};
use crate::operations::mute::{Mute, TokenMuted, TokenUnmuted, Unmute};
use crate::operations::once::Once;
use crate::operations::operation::Operation;
use crate::operations::outcomes::Outcomes;
use crate::operations::record_reports::{RecordReports, ReportOutcome};
use crate::operations::remembered::Remembered;
use crate::operations::remove_stale::{RemoveStale, StaleRemoved};
use crate::operations::remove_token::{RemoveToken, TokenRemoved};
use crate::operations::rename_token::{RenameToken, TokenRenamed};
use crate::operations::split::{Split, SplitOff};
#[cfg(feature = "transfer")]
use crate::operations::take_over::{PartTaken, TakeOver};
use crate::operations::unmerge::{Unmerge, Unmerged};
use crate::operations::upsert::{ContactUpserted, Upsert};
use crate::options::{Check, Create, Options, WhenFull};
use crate::pinned::Pinned;
use crate::snapshot::{AnsweredBy, Snapshot};
use crate::stats::{OperationKind, Space, Stats};
#[cfg(feature = "testing")]
use crate::storage::Disk;
use crate::storage::{
    Committed, Engine, KeyHash, Keyed, Location, MemoryDisk, OpenAs, RequestHasher,
};
use crate::vacuum::{Vacuumed, vacuum};
use crate::writer::{Pending, WaitForChanges, Writer};

/// An open contact store.
///
/// This is a handle: cheap to clone, `Send` and `Sync`. All clones share one store. Reads go
/// through a [`Snapshot`]. Each write has a method that queues it and returns a [`Pending`], to
/// wait for on a thread or to await in a task. Dropping the last handle closes the store, and waits
/// for the disk as [`close`](Self::close) does.
///
/// # Errors of every write
///
/// Besides the errors that its own documentation lists, every write may fail with:
///
/// - [`Error::Busy`] when too many requests wait;
/// - [`Error::Closed`] once the store is closed;
/// - [`Error::ReadOnly`] when the store was opened for reading only;
/// - [`Error::NeedsReopen`] after a failed commit or read;
/// - [`Error::FileMoved`] while the file is not at its path;
/// - [`Error::Indeterminate`] when its own commit fails;
/// - [`Error::Storage`] when a row that it needs cannot be read;
/// - with an idempotency key ([`once`](Self::once)): [`Error::IdempotencyKeyReused`],
///   [`Error::AnswersNotKept`], and [`Error::LimitExceeded`] when its outcome is too long to be kept
///   ([`ANSWER_BYTES`](crate::limits::ANSWER_BYTES)).
///
/// After any of these except `Indeterminate`, nothing of the request was written. The exceptions
/// are [`forget_messages`](Self::forget_messages) and [`remove_stale`](Self::remove_stale), which
/// commit in steps.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ContactStore::open_in_memory(Options::default())?;
/// let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// assert_eq!(store.snapshot()?.apps()?[0].id, bot);
/// store.close()?;
/// assert!(matches!(store.snapshot(), Err(Error::Closed)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ContactStore {
    inner: Arc<Inner>,
    when_full: WhenFull,
    /// The keyed hash of the idempotency key of its requests.
    key: Option<KeyHash>,
}

struct Inner {
    writer: Writer,
    options: Options,
    hasher: RequestHasher,
    answered_by: Arc<AnsweredBy>,
    pinned: Pinned,
}

impl ContactStore {
    /// Opens the store in the file at `path`, or creates it, depending on the options.
    ///
    /// A new file is readable by its owner alone. It appears whole or not at all, even after a
    /// power cut. An existing file is verified before any byte of it is changed
    /// ([R50](crate::rulebook#r50)). A file can be open only once at a time, across all processes
    /// ([R51](crate::rulebook#r51)).
    ///
    /// # Errors
    ///
    /// [`Error::Open`]: see [`OpenError`]. The file is unchanged.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::File(path.as_ref().to_owned()), options)
    }

    /// Opens the store in a PostgreSQL database, or creates it, depending on the options.
    ///
    /// Any number of hosts may have it open, and all may write. The rules, the order of requests and the promises are those
    /// of a store in a file, with the database in the place of the disk: a request that was acknowledged is as safe
    /// as the server keeps a commit.
    ///
    /// A snapshot holds a connection for as long as it is held, and each of its reads asks the database once or
    /// a few times. The options of caches and of checks on opening have no meaning here.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] with [`OpenError::Database`] when the database cannot be reached, or is not one that a store can be in;
    /// see [`DatabaseError`](crate::DatabaseError). Nothing in it is changed.
    #[cfg(feature = "postgres")]
    pub fn connect(
        postgres: &crate::postgres::PostgresOptions,
        options: Options,
    ) -> Result<Self, Error> {
        let settings = postgres.settings(&options)?;
        Self::open_by(options, |open_as| Engine::connect(settings, open_as))
    }

    /// Creates an empty store in memory, for the tests of a host.
    ///
    /// It disappears with its last handle. No promise about crashes holds for it.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] when the options are invalid, or the system provides no random bytes or no
    /// thread.
    pub fn open_in_memory(options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::Disk(Arc::new(MemoryDisk::default())), options)
    }

    /// Opens a store on a disk that the caller provides.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn open_on_disk(disk: Arc<dyn Disk>, options: Options) -> Result<Self, Error> {
        Self::open_at(&Location::Disk(disk), options)
    }

    fn open_at(place: &Location, options: Options) -> Result<Self, Error> {
        Self::open_by(options, |open_as| Engine::open(place, open_as))
    }

    fn open_by(
        options: Options,
        open: impl FnOnce(OpenAs) -> Result<(Engine, Committed), OpenError>,
    ) -> Result<Self, Error> {
        options.limits.refuse_zero().map_err(OpenError::from)?;
        options.limits.validate().map_err(OpenError::from)?;
        options.validate().map_err(OpenError::from)?;
        if let Some(keep) = options.change_feed {
            keep.refuse_zero().map_err(OpenError::from)?;
            keep.validate().map_err(OpenError::from)?;
        }
        if let Some(keep) = options.keep_answers {
            keep.refuse_zero().map_err(OpenError::from)?;
            keep.validate().map_err(OpenError::from)?;
        }
        let open_as = OpenAs {
            may_create: options.create != Create::Never && !options.read_only,
            must_create: options.create == Create::Always,
            check_clean: options.check == Check::Always,
            cache_bytes: options.cache_bytes,
            index_memory: options.index_memory,
            card_memory: options.card_memory.unwrap_or(options.cache_bytes / 4),
            upgrade: options.upgrade && !options.read_only,
            read_only: options.read_only,
            change_feed: options.change_feed,
            keep_answers: options.keep_answers,
            progress: options.progress(),
            folding: options.folding(),
            now: options.clock.now(),
            hash_mask: options.hash_mask(),
            format: options.format(),
            random: options.random(),
        };
        let (engine, snapshot) = open(open_as)?;
        let hasher = snapshot.request_hasher();
        let writer = Writer::start(engine, snapshot, &options.limits)?;
        let explained_by = ExplainedBy {
            limits: options.limits,
            unknown_contact_id: options.unknown_contact_id,
            invalid_identifier: options.invalid_identifier,
            placeholders: options.placeholders.clone(),
        };
        let answered_by = AnsweredBy {
            explained_by,
            clock: Arc::clone(&options.clock),
        };
        let inner = Inner {
            writer,
            options,
            hasher,
            answered_by: Arc::new(answered_by),
            pinned: Pinned::new(),
        };
        Ok(ContactStore {
            inner: Arc::new(inner),
            when_full: WhenFull::default(),
            key: None,
        })
    }

    /// Returns a handle to the same store whose writes do this when too many requests wait.
    #[must_use]
    pub fn when_full(&self, when_full: WhenFull) -> Self {
        ContactStore {
            when_full,
            ..self.clone()
        }
    }

    /// Returns a handle to the same store whose requests are done once, however often they are repeated
    /// under this key ([R64](crate::rulebook#r64)).
    ///
    /// It is for a caller that may not learn the outcome of its request, such as one on the other side of a
    /// network. It makes the same request again under the same key, also after the store was reopened or
    /// its process restarted. A request that was done does nothing then, and is answered with its first
    /// number and outcome, [marked as repeated](crate::Committed#structfield.repeated). One that was not done, or
    /// refused with an error, is done now.
    ///
    /// The key is for one request and its repetitions: each write through the handle has it. Reads,
    /// imports and [`vacuum`](Self::vacuum) have no key. The time within which a request may be repeated
    /// is set by [`Options::keep_answers`](crate::Options::keep_answers).
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let options = Options::default().keep_answers(KeepAnswers::default());
    /// let store = ContactStore::open_in_memory(options)?;
    /// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
    /// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
    /// let sent = RecordReports::new(bot).report(Report::new(Status::Sent).token("100200300"));
    /// let once = store.once(&IdempotencyKey::parse("report-2611-000017")?);
    /// let first = once.record_reports(sent.clone()).wait()?;
    /// let again = once.record_reports(sent).wait()?;
    /// assert!(again.repeated);
    /// assert_eq!((again.sequence, again.outcome), (first.sequence, first.outcome));
    /// // It was counted once.
    /// assert_eq!(store.snapshot()?.subscribers(bot, None, 10)?[0].counts.sent, 1);
    /// // Another request under the key is refused.
    /// let other = once.erase(ContactId::new(1)?).wait();
    /// assert!(matches!(other, Err(Error::IdempotencyKeyReused)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn once(&self, key: &IdempotencyKey) -> Self {
        ContactStore {
            key: Some(self.inner.hasher.key(key)),
            ..self.clone()
        }
    }

    /// Returns the last durable state, for reading.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::NeedsReopen`] while the store is being reopened, and after
    /// reopening failed.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let tables = self.inner.writer.committed()?;
        self.inner.pinned.note(&tables, tables.counts().sequence);
        Ok(Snapshot::new(tables, Arc::clone(&self.inner.answered_by)))
    }

    /// Connects an app, or changes the name or key of a connected one ([R11](crate::rulebook#r11)).
    /// The outcome is its id.
    ///
    /// # Errors
    ///
    /// Those of every write.
    pub fn connect_app(&self, request: ConnectApp) -> Pending<AppId> {
        let keyed = self.keyed(OperationKind::ConnectApp, &request);
        self.submit(request.prepare(self.now()), keyed)
    }

    /// Disconnects an app ([R11](crate::rulebook#r11)).
    ///
    /// From then on the app is unknown, and its tokens are on no card and in no count. What is left
    /// of them in the file is removed in the background, in bounded steps.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write.
    pub fn disconnect_app(&self, app: AppId) -> Pending<()> {
        let request = DisconnectApp(app);
        let keyed = self.keyed(OperationKind::DisconnectApp, &request);
        self.submit(request, keyed)
    }

    /// Adds tokens to the contacts that their identifiers name, and creates contacts where there
    /// are none ([R13](crate::rulebook#r13)–[R25](crate::rulebook#r25)).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; [`Error::LimitExceeded`]; [`Error::EntryRefused`] in the mode
    /// [`BatchMode::AllOrNothing`](crate::BatchMode::AllOrNothing); those of every write. In any
    /// other mode a refused entry does not fail the request: its error is in the outcome.
    pub fn add_tokens(&self, request: AddTokens) -> Pending<TokensAdded> {
        let options = &self.inner.options;
        let keyed = self.keyed(OperationKind::AddTokens, &request);
        let prepared = request.prepare(
            options.in_force(),
            &options.placeholders,
            options.limits,
            options.conflicts as u64,
            self.now(),
        );
        self.submit_prepared(prepared, keyed)
    }

    /// Records delivery reports; FAILED with reason Forbidden removes the token
    /// ([R30](crate::rulebook#r30)–[R36](crate::rulebook#r36)).
    ///
    /// # Errors
    ///
    /// As for [`add_tokens`](ContactStore::add_tokens).
    pub fn record_reports(&self, request: RecordReports) -> Pending<Outcomes<ReportOutcome>> {
        let options = &self.inner.options;
        let keyed = self.keyed(OperationKind::RecordReports, &request);
        let prepared = request.prepare(
            options.failed_without_reason,
            &options.gone_phrases,
            options.limits,
            options.remember_blocked as u64,
            self.now(),
        );
        self.submit_prepared(prepared, keyed)
    }

    /// Creates contacts, and updates their identifiers and fields
    /// ([R41](crate::rulebook#r41)–[R43](crate::rulebook#r43)). Tokens are not touched.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`]; [`Error::EntryRefused`] in the mode
    /// [`BatchMode::AllOrNothing`](crate::BatchMode::AllOrNothing); those of every write. In any
    /// other mode a refused item does not fail the request: its error is in the outcome.
    pub fn upsert(&self, request: Upsert) -> Pending<Outcomes<ContactUpserted>> {
        let options = &self.inner.options;
        let keyed = self.keyed(OperationKind::Upsert, &request);
        let prepared = request.prepare(
            options.unknown_contact_id,
            &options.placeholders,
            options.limits,
            options.conflicts as u64,
            self.now(),
        );
        self.submit_prepared(prepared, keyed)
    }

    /// Removes a token from the card of one contact, or of all that hold it
    /// ([R45](crate::rulebook#r45)).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write. Removing a token that no named contact holds is
    /// not an error.
    pub fn remove_token(&self, request: RemoveToken) -> Pending<TokenRemoved> {
        let keyed = self.keyed(OperationKind::RemoveToken, &request);
        self.submit(request, keyed)
    }

    /// Renames a token, for a chat that migrated ([R57](crate::rulebook#r57)).
    ///
    /// The chat keeps its place on every card, its subscriber id and its delivery state. If the new
    /// token already is a subscriber, the two become one.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; [`Error::LimitExceeded`] when too many contacts would hold the token,
    /// or a card would have too much text; those of every write. An unknown old token is not an
    /// error.
    pub fn rename_token(&self, request: RenameToken) -> Pending<TokenRenamed> {
        let keyed = self.keyed(OperationKind::RenameToken, &request);
        self.submit(request.prepare(self.inner.options.limits), keyed)
    }

    /// Appends a token that FAILED removed to the cards of the contacts that held it
    /// ([R63](crate::rulebook#r63)).
    ///
    /// It is a new subscriber ([R35](crate::rulebook#r35)). The store knows the contacts if
    /// [`Options::remember_blocked`](crate::Options::remember_blocked) is set, and as long as the
    /// token is not added again. Contacts erased since are left out.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; [`Error::LimitExceeded`] when a card would have too many tokens or too
    /// much text; those of every write. A token of which nothing is remembered is not an error.
    pub fn bring_back(&self, request: BringBack) -> Pending<TokenBroughtBack> {
        let keyed = self.keyed(OperationKind::BringBack, &request);
        let limits = self.inner.options.limits;
        self.submit(request.prepare(limits, self.now()), keyed)
    }

    /// Mutes a subscriber until a time, or until it is unmuted ([R59](crate::rulebook#r59)).
    ///
    /// [`Snapshot::resolve`] then leaves it out, unless it is asked for muted ones too. Everything
    /// else goes on as before. A mute that it had is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write. An unknown token is not an error.
    pub fn mute(&self, request: Mute) -> Pending<TokenMuted> {
        let keyed = self.keyed(OperationKind::Mute, &request);
        self.submit(request.prepare(self.now()), keyed)
    }

    /// Ends the mute of a subscriber ([R59](crate::rulebook#r59)).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write. Neither an unknown token nor a subscriber that
    /// is not muted is an error.
    pub fn unmute(&self, request: Unmute) -> Pending<TokenUnmuted> {
        let keyed = self.keyed(OperationKind::Unmute, &request);
        self.submit(request.prepare(self.now()), keyed)
    }

    /// Erases a contact, with its identifiers and tokens ([R44](crate::rulebook#r44)).
    ///
    /// The id of a contact that was merged into another stands for that one
    /// ([R58](crate::rulebook#r58)). With a contact goes everything that is kept of those merged into
    /// it. Their ids are those of erased contacts then.
    ///
    /// What it had and is kept of other merged contacts too goes from their records, so that no
    /// [`unmerge`](Self::unmerge) gives it back. The time that this takes does not depend on how many
    /// contacts were merged.
    ///
    /// The identifiers are free again. A subscriber that no other contact holds is removed too. The
    /// contact id is never used again ([R18](crate::rulebook#r18)).
    ///
    /// # Errors
    ///
    /// Those of every write. Erasing an unknown contact is not an error. [`Error::LimitExceeded`]
    /// when the request [suppresses](Erase::suppress) and too many identifiers would be suppressed.
    /// The contact is not erased then: erase it without suppressing, or raise
    /// [`Limits::suppressed_identifiers`](crate::Limits::suppressed_identifiers).
    pub fn erase(&self, request: impl Into<Erase>) -> Pending<Erased> {
        let request: Erase = request.into();
        let keyed = self.keyed(OperationKind::Erase, &request);
        self.submit(request.prepare(self.inner.options.limits), keyed)
    }

    /// Lifts the suppression of identifiers ([R65](crate::rulebook#r65)), so that entries and items
    /// may name them again. A contact id is never suppressed, and counts as not given.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let ann = ContactUpdate::new().email("ann@example.com");
    /// # let ann = store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
    /// # let contact = ann.outcome.into_single()?.contact;
    /// store.erase(Erase::new(contact).suppress()).wait()?;
    /// assert_eq!(store.stats()?.suppressed, 1);
    /// let ann = GivenIdentifiers::new().email("Ann@Example.com").parse()?;
    /// let lifted = store.lift_suppression(ann).wait()?.outcome.lifted;
    /// assert!(lifted.contains(IdentifierKind::Email));
    /// assert_eq!(store.stats()?.suppressed, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NothingGiven`] when there is no other identifier than a contact id; those of every
    /// write. An identifier that is not suppressed is not an error.
    pub fn lift_suppression(&self, identifiers: Identifiers) -> Pending<SuppressionLifted> {
        let request = LiftSuppression(identifiers);
        let keyed = self.keyed(OperationKind::LiftSuppression, &request);
        self.submit(request, keyed)
    }

    /// Takes the conflict of two contacts off the list, for example because they are two persons
    /// ([R61](crate::rulebook#r61)).
    ///
    /// The order of the ids does not matter, and an id that leads to another contact since a merge
    /// stands for that one. The pair is listed anew when a later request names both.
    ///
    /// # Errors
    ///
    /// Those of every write. A conflict that is not listed is not an error.
    pub fn dismiss_conflict(&self, one: ContactId, other: ContactId) -> Pending<ConflictDismissed> {
        let request = DismissConflict(one, other);
        let keyed = self.keyed(OperationKind::DismissConflict, &request);
        self.submit(request, keyed)
    }

    /// Merges a contact into another ([R58](crate::rulebook#r58)).
    ///
    /// Tokens of both are on the card that is left, in the order in which they were added. It gets the
    /// identifiers and fields that it lacks. Of what both have, it keeps its own. The other contact is
    /// gone: its id leads to the one that is left, and is never used again. What it had is kept until
    /// it is [taken out](Self::unmerge) again, or until the contact that is left is erased.
    ///
    /// [`Snapshot::preview_merge`] shows the outcome before.
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] with [`MergeError::UnknownContact`](crate::MergeError::UnknownContact),
    /// [`ErasedContact`](crate::MergeError::ErasedContact) or
    /// [`IntoItself`](crate::MergeError::IntoItself); [`Error::LimitExceeded`] when the card that is
    /// left would be over a limit, or more than
    /// [`MERGES_PER_CONTACT`](crate::limits::MERGES_PER_CONTACT) contacts would be in it; those of
    /// every write.
    pub fn merge(&self, request: Merge) -> Pending<Merged> {
        let keyed = self.keyed(OperationKind::Merge, &request);
        let limits = self.inner.options.limits;
        self.submit(request.prepare(limits, self.now()), keyed)
    }

    /// Takes a merged contact out of the one that it was merged into
    /// ([R58](crate::rulebook#r58)).
    ///
    /// It is there again under its old id, with the identifiers, fields and tokens that it had, and
    /// the other contact loses what it got by the merge. What happened in between stays: an identifier
    /// that another contact has by now or was erased with, and a token that was removed, are not given
    /// back, and the outcome names them. A field that was changed in between stays changed on the other card, and
    /// the contact gets its own value back.
    ///
    /// Contacts that were merged into it earlier come out with it. One that came through others can be
    /// taken out alone, in any order.
    ///
    /// [`Snapshot::preview_unmerge`] shows the outcome before.
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] with [`MergeError::NotMerged`](crate::MergeError::NotMerged),
    /// [`UnknownContact`](crate::MergeError::UnknownContact) or
    /// [`ErasedContact`](crate::MergeError::ErasedContact); [`Error::LimitExceeded`] when too many
    /// contacts would hold a token; those of every write.
    pub fn unmerge(&self, contact: ContactId) -> Pending<Unmerged> {
        let keyed = self.keyed(OperationKind::Unmerge, &contact);
        let limits = self.inner.options.limits;
        self.submit(Unmerge { contact, limits }, keyed)
    }

    /// Splits a contact: chosen identifiers and tokens go to a new one
    /// ([R58](crate::rulebook#r58)).
    ///
    /// [`Snapshot::preview_split`] shows the outcome before.
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] with [`MergeError::UnknownContact`](crate::MergeError::UnknownContact),
    /// [`ErasedContact`](crate::MergeError::ErasedContact),
    /// [`NoIdentifier`](crate::MergeError::NoIdentifier),
    /// [`NoSuchIdentifier`](crate::MergeError::NoSuchIdentifier),
    /// [`NotHeld`](crate::MergeError::NotHeld) or
    /// [`ContactIdsExhausted`](crate::MergeError::ContactIdsExhausted); [`Error::LimitExceeded`] when
    /// the new card would be over a limit that was lowered; those of every write.
    pub fn split(&self, request: Split) -> Pending<SplitOff> {
        let keyed = self.keyed(OperationKind::Split, &request);
        let limits = self.inner.options.limits;
        self.submit(request.prepare(limits, self.now()), keyed)
    }

    /// Forgets the message tallies of an app whose latest report is older than `before`
    /// ([R30](crate::rulebook#r30)).
    ///
    /// It works in steps, each a commit with its own number, so that other writes need not wait.
    /// After an error, the tallies that were already forgotten stay forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write.
    pub fn forget_messages(&self, app: AppId, before: Timestamp) -> Pending<MessagesForgotten> {
        let request = ForgetMessages::new(app, before);
        let keyed = self.keyed(OperationKind::ForgetMessages, &request);
        self.submit(request, keyed)
    }

    /// Removes the subscribers of an app that were neither registered nor reported about since a
    /// time ([R62](crate::rulebook#r62)).
    ///
    /// Each is removed as by [`remove_token`](Self::remove_token) for all contacts, and counted with
    /// those. The contacts stay. A [dry run](RemoveStale::dry_run) only counts.
    ///
    /// It works in steps, each a commit with its own number, so that other writes need not wait. A
    /// subscriber that is registered or reported about before its step stays. After an error, the
    /// subscribers that were already removed stay removed. An app that is disconnected between two
    /// steps is one such error.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`]; those of every write, of a dry run too.
    pub fn remove_stale(&self, request: RemoveStale) -> Pending<StaleRemoved> {
        let keyed = self.keyed(OperationKind::RemoveStale, &request);
        self.submit(request.prepare(), keyed)
    }

    /// Returns a wait for changes after a position, on a thread or in a task
    /// ([R60](crate::rulebook#r60)).
    ///
    /// The wait is over once a [`snapshot`](Self::snapshot) has changes after the position, or cannot have
    /// them: when they are not kept, when the store needs reopening, and when it is closed. While the change
    /// feed is off, it ends with [`Error::ChangesNotKept`] after the next request that changes the store.
    pub fn wait_for_changes(&self, after: ChangePosition) -> WaitForChanges {
        self.inner.writer.wait_for_changes(after)
    }

    /// Opens the file again after a failed commit or read, for all handles
    /// ([R49](crate::rulebook#r49)).
    ///
    /// Returns the number of the state found. A request whose outcome was indeterminate is in the
    /// store exactly when that number is at least its own. Snapshots taken before expire.
    ///
    /// If nothing failed since the last reopening, it does nothing and returns the number found
    /// then, so each of several callers can ask. For a store that was never reopened it returns the
    /// current number. Ask before a later commit fails: the next reopening also finds what was
    /// written in between.
    ///
    /// Reopening does not mend [`Error::FileMoved`]. The store keeps to the file that it opened,
    /// and takes writes again once that file is back at its path.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Open`] when the file cannot be opened: it can be tried again.
    pub fn reopen(&self) -> Result<SequenceNumber, Error> {
        self.inner.writer.reopen()
    }

    /// Writes the file of the store anew, without free pages ([R67](crate::rulebook#r67)).
    ///
    /// The new file is made beside the old one under a temporary name, while reads and writes go on. It
    /// takes over what changes meanwhile. Then writes wait, about as long as for one commit, until it has
    /// the last changes, is on the disk, and has the name of the store. At every moment there is a
    /// complete file under that name. Temporary files that an interrupted vacuum left are removed by the
    /// next one, and by the next opening of the store.
    ///
    /// The new file has no text of what was erased, and no more than a few hundred keyed hashes of it. It
    /// has the owner, group and permission bits of the old one. Other names of the old
    /// file, if there are hard links to it, keep the old content.
    ///
    /// Snapshots that were taken before read on from the old file. The space of that file is free when
    /// the last of them is dropped. Until then the disk has to have room for both. What was in free
    /// space of a disk, the system may leave there until it is used again.
    ///
    /// `progress` is called about once a megabyte. It cancels the vacuum by returning
    /// [`ControlFlow::Break`].
    ///
    /// ```
    /// # use contact_store::*;
    /// # use std::ops::ControlFlow;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("contacts.redb");
    /// let store = ContactStore::open(&path, Options::default())?;
    /// let done = store.vacuum(|_| ControlFlow::Continue(()))?;
    /// println!("{} bytes, {} before", done.bytes_after, done.bytes_before);
    /// # assert_eq!(std::fs::metadata(&path)?.len(), done.bytes_after);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Copy`] when `progress` cancels, when another vacuum of the store is under way, when the
    /// new file cannot be written, or when the store is in a database
    /// ([`CopyError::NoFile`](crate::CopyError::NoFile)), whose server vacuums itself; [`Error::ReadOnly`]; [`Error::FileMoved`]; [`Error::NeedsReopen`] when
    /// a commit or read fails meanwhile; [`Error::Storage`] when the store cannot be read;
    /// [`Error::Closed`]. After an error the old file is in its place, and nothing is left of the new
    /// one. There is one exception: when the system cannot make the new name durable, the new file is in
    /// place, and the store [needs reopening](Self::reopen) before it takes writes.
    pub fn vacuum(
        &self,
        progress: impl FnMut(CopyProgress) -> ControlFlow<()>,
    ) -> Result<Vacuumed, Error> {
        if self.inner.options.read_only {
            return Err(Error::ReadOnly);
        }
        vacuum(&self.inner.writer, progress)
    }

    /// Finishes the queued requests, answers every caller, and closes the file.
    ///
    /// From then on every clone and snapshot fails with [`Error::Closed`]. Closing a closed store
    /// does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::CloseIncomplete`] when the file could not be closed cleanly.
    pub fn close(&self) -> Result<(), Error> {
        self.inner.writer.close()
    }

    /// Queues a request that panics while the store decides it.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn panic_while_deciding(&self) -> Pending<()> {
        self.inner
            .writer
            .submit(Panicking, self.when_full, None, None)
    }

    /// Returns counts of what the store holds, what waits, and the outcomes of its requests.
    ///
    /// This is cheap however large the store is, and never waits for a commit. It reads the length
    /// of the file from the system, and checks at most once a second whether the file is still at
    /// its path ([R69](crate::rulebook#r69)). It also works while the store needs reopening, with
    /// what is still known.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Storage`] when the length of the file cannot be read.
    pub fn stats(&self) -> Result<Stats, Error> {
        let inner = &self.inner;
        let load = inner.writer.load();
        let (stats, needs_reopen, memory) = inner.writer.stats()?;
        let file = inner.writer.file();
        let commit_latency = stats.commit_latency();
        let connections = inner.writer.connections();
        let database = connections.are_there();
        Ok(Stats {
            sequence: stats.counts.sequence,
            contacts: stats.counts.contacts,
            subscribers: stats.counts.subscribers,
            apps: stats.counts.apps,
            muted: stats.counts.muted,
            suppressed: stats.counts.suppressed,
            blocked: stats.counts.blocked,
            most_blocked: inner.options.remember_blocked as u64,
            conflicts: stats.counts.conflicts,
            most_conflicts: inner.options.conflicts as u64,
            conflicts_not_kept: stats.conflicts_not_kept(),
            most_suppressed: inner.options.limits.suppressed_identifiers as u64,
            merged: stats.counts.merged,
            engine: match database {
                true => "postgres",
                false => "file",
            },
            database: connections.stats(),
            file_bytes: file.len()?,
            cache_bytes: match database {
                true => 0,
                false => inner.options.cache_bytes,
            },
            index_bytes: memory.index_bytes,
            index_is_complete: memory.index_is_complete,
            index_pending: memory.index_pending,
            index_is_damaged: memory.index_is_damaged,
            card_bytes: memory.card_bytes,
            changes: stats.counts.changes,
            answers: stats.answers(),
            version: env!("CARGO_PKG_VERSION"),
            oldest_snapshot: inner.pinned.oldest(stats.counts.sequence),
            last_failure: stats.last_failure(),
            wider_mode: file.wider_mode(),
            needs_reopen,
            file_moved: file.is_moved(),
            waiting_requests: load.requests,
            waiting_text_bytes: load.text_bytes,
            waiting_for_place: load.lobby,
            commits: commit_latency.count,
            failed_commits: stats.failed_commits(),
            commit_latency,
            group_sizes: stats.group_sizes(),
            operations: stats.operations(),
        })
    }

    /// Returns how much of the file is in use.
    ///
    /// Unlike [`stats`](ContactStore::stats) this reads every page in use. That takes a fraction of
    /// a second for a million cached contacts, and longer when the pages come from disk. Writes go
    /// on meanwhile.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = ContactStore::open_in_memory(Options::default())?;
    /// let space = store.space()?;
    /// assert_eq!(space.file_bytes, space.used_bytes + space.free_bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] when the length of the file cannot be read; otherwise as for every read.
    pub fn space(&self) -> Result<Space, Error> {
        let used_bytes = self.snapshot()?.used_bytes()?;
        let file = self.inner.writer.file();
        let file_bytes = file.len()?;
        if !file.is_there() {
            return Ok(Space {
                file_bytes,
                used_bytes,
                free_bytes: 0,
            });
        }
        Ok(Space {
            file_bytes,
            used_bytes: used_bytes.min(file_bytes),
            free_bytes: file_bytes.saturating_sub(used_bytes),
        })
    }

    /// Whether the store refuses writes until it is reopened (R49).
    pub(crate) fn needs_reopen(&self) -> Result<bool, Error> {
        self.inner.writer.needs_reopen()
    }

    #[cfg(feature = "transfer")]
    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// A handle for the requests of an import, which wait for a place in the queue and have no idempotency
    /// key.
    #[cfg(feature = "transfer")]
    pub(crate) fn importing(&self) -> Self {
        ContactStore {
            when_full: WhenFull::Wait,
            key: None,
            ..self.clone()
        }
    }

    /// Queues a part of an export to take over, and waits for a place in the queue (R70).
    #[cfg(feature = "transfer")]
    pub(crate) fn take_over(&self, part: TakeOver) -> Pending<PartTaken> {
        if self.inner.options.read_only {
            return self.inner.writer.refuse::<TakeOver>(Error::ReadOnly);
        }
        let at = self.inner.options.change_feed.map(|_| self.now());
        let writer = &self.inner.writer;
        writer.submit(part, WhenFull::Wait, at, None)
    }

    /// Queues a request that was prepared, or answers with the error that stopped it.
    fn submit_prepared<O: Operation<Outcome: Remembered>>(
        &self,
        prepared: Result<O, LimitExceeded>,
        keyed: Option<Keyed>,
    ) -> Pending<O::Outcome> {
        match prepared {
            Ok(operation) => self.submit(operation, keyed),
            Err(exceeded) => self.inner.writer.refuse::<O>(exceeded.into()),
        }
    }

    /// Queues a request. `keyed` is what [`keyed`](Self::keyed) gave of it.
    fn submit<O: Operation<Outcome: Remembered>>(
        &self,
        operation: O,
        keyed: Option<Keyed>,
    ) -> Pending<O::Outcome> {
        let options = &self.inner.options;
        let writer = &self.inner.writer;
        if options.read_only {
            return writer.refuse::<O>(Error::ReadOnly);
        }
        // Never done without the guarantee that its caller relies on.
        if self.key.is_some() && keyed.is_none() {
            return writer.refuse::<O>(Error::AnswersNotKept);
        }
        let at = match keyed {
            Some(keyed) => Some(keyed.at),
            None => options.change_feed.map(|_| self.now()),
        };
        writer.submit(operation, self.when_full, at, keyed.map(Once::new))
    }

    /// What a request is told by when it is repeated; `None` when it has no idempotency key, or no
    /// answers are kept.
    fn keyed(&self, kind: OperationKind, request: &dyn Described) -> Option<Keyed> {
        let key = self.key?;
        self.inner.options.keep_answers?;
        let mut description = Description::new(self.inner.hasher.request());
        description.parts(&[&kind.name(), request]);
        Some(Keyed {
            key,
            request: description.finish(),
            at: self.now(),
        })
    }

    fn now(&self) -> Timestamp {
        self.inner.options.clock.now()
    }
}

impl fmt::Debug for ContactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactStore")
            .field("when_full", &self.when_full)
            .field("has_key", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

/// A request that panics, for the test of R48.
#[cfg(feature = "testing")]
#[derive(Clone)]
struct Panicking;

#[cfg(feature = "testing")]
impl Operation for Panicking {
    type Outcome = ();

    // Any kind will do: it has none of its own.
    const KIND: crate::stats::OperationKind = crate::stats::OperationKind::DisconnectApp;

    fn size(&self) -> crate::operations::operation::Size {
        crate::operations::operation::Size::one(0)
    }

    fn decide(
        &mut self,
        draft: &mut crate::storage::Draft<'_>,
    ) -> Result<crate::operations::operation::Step<()>, Error> {
        // A change that has to be rolled back.
        let _ = draft.state.take_app();
        // A panic message would only clutter the output of the tests.
        std::panic::resume_unwind(Box::new(()));
    }

    fn count((): &(), _: &mut crate::stats::Tally) {}
}
