//! How a store is opened, and how it behaves where the rules leave a choice.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::limits::{BLOCKED_TOKENS_REMEMBERED, CONFLICTS_LISTED, LimitTooHigh, Limits};
use crate::model::change::KeepChanges;
use crate::model::idempotency_key::KeepAnswers;
use crate::model::names::named;
use crate::model::placeholders::Placeholders;
use crate::model::report::GonePhrases;
use crate::model::time::{Clock, SystemClock};
use crate::opening::{Opening, Progress};
use crate::operations::add_tokens::OptionsInForce;
use crate::rules::{
    FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership, UnknownContactId,
};
use crate::storage::Folding;

/// Options for opening a store.
///
/// Each option is set by the method of its name. To read one, use the field of [`OptionValues`], to
/// which this type dereferences.
///
/// ```
/// # use contact_store::{Options, Ownership};
/// let options = Options::default()
///     .ownership(Ownership::Exclusive)
///     .cache_bytes(256 << 20);
/// assert_eq!(options.ownership, Ownership::Exclusive);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    values: OptionValues,
}

impl Options {
    /// What to do when the file is missing, or already exists.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.values.create = create;
        self
    }

    /// When the pages of the file are verified at opening.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.values.check = check;
        self
    }

    /// The most bytes of memory for cached pages.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.values.cache_bytes = bytes;
        self
    }

    /// The most bytes of memory for the indexes ([`OptionValues::index_memory`]). With 0 they stay
    /// in the file alone.
    #[must_use]
    pub fn index_memory(mut self, bytes: usize) -> Self {
        self.values.index_memory = bytes;
        self
    }

    /// The most bytes of memory for cached cards ([`OptionValues::card_memory`]). With 0 no cards are cached.
    #[must_use]
    pub fn card_memory(mut self, bytes: usize) -> Self {
        self.values.card_memory = Some(bytes);
        self
    }

    /// Whether a file of an older format is upgraded ([`OptionValues::upgrade`]).
    ///
    /// ```no_run
    /// # use contact_store::{ContactStore, Error, OpenError, Options};
    /// # fn main() -> Result<(), Error> {
    /// let store = match ContactStore::open("contacts.redb", Options::default()) {
    ///     // The file is as it was. A copy of it is worth having before the upgrade.
    ///     Err(Error::Open(OpenError::OldFormat { .. })) => {
    ///         ContactStore::open("contacts.redb", Options::default().upgrade(true))?
    ///     }
    ///     opened => opened?,
    /// };
    /// # drop(store);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.values.upgrade = upgrade;
        self
    }

    /// Whether to open the file for reading only ([`OptionValues::read_only`]).
    ///
    /// ```no_run
    /// # use contact_store::{ContactStore, Error, Options};
    /// # fn main() -> Result<(), Error> {
    /// let backup = ContactStore::open("backup.redb", Options::default().read_only(true))?;
    /// println!("{} contacts", backup.snapshot()?.contact_count());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.values.read_only = read_only;
        self
    }

    /// A function that is told the progress of opening. It runs on the thread that opens.
    ///
    /// ```
    /// # use contact_store::{ContactStore, Error, Options};
    /// # fn main() -> Result<(), Error> {
    /// let options = Options::default().on_opening(|opening| {
    ///     println!("{:?}: {} of {}", opening.stage, opening.done, opening.of);
    /// });
    /// let store = ContactStore::open_in_memory(options)?;
    /// # store.close()
    /// # }
    /// ```
    #[must_use]
    pub fn on_opening(mut self, told: impl Fn(Opening) + Send + Sync + 'static) -> Self {
        self.values.on_opening = Some(Arc::new(told));
        self
    }

    /// The limits. Opening refuses a limit of zero or one that is too high, and names it.
    ///
    /// ```
    /// # use contact_store::{ContactStore, Error, Limits, OpenError, Options};
    /// let mut limits = Limits::default();
    /// limits.tokens_per_contact = 0;
    /// let refused = ContactStore::open_in_memory(Options::default().limits(limits));
    /// let error = refused.err().map(|error| error.to_string());
    /// assert_eq!(error.as_deref(), Some("limit tokens_per_contact is set to 0, the least is 1"));
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.values.limits = limits;
        self
    }

    /// How contacts are matched, unless a request says otherwise ([R14](crate::rulebook#r14)).
    #[must_use]
    pub fn policy(mut self, policy: MatchPolicy) -> Self {
        self.values.policy = policy;
        self
    }

    /// How tokens of other contacts are treated, unless a request says otherwise
    /// ([R22](crate::rulebook#r22)).
    #[must_use]
    pub fn ownership(mut self, ownership: Ownership) -> Self {
        self.values.ownership = ownership;
        self
    }

    /// How invalid identifiers are treated, unless a request says otherwise
    /// ([R13](crate::rulebook#r13)).
    #[must_use]
    pub fn invalid_identifier(mut self, option: InvalidIdentifier) -> Self {
        self.values.invalid_identifier = option;
        self
    }

    /// How unknown contact ids are treated, unless a request says otherwise
    /// ([R18](crate::rulebook#r18)).
    #[must_use]
    pub fn unknown_contact_id(mut self, option: UnknownContactId) -> Self {
        self.values.unknown_contact_id = option;
        self
    }

    /// What a FAILED report without a reason does, unless a request says otherwise
    /// ([R32](crate::rulebook#r32)).
    #[must_use]
    pub fn failed_without_reason(mut self, option: FailedWithoutReason) -> Self {
        self.values.failed_without_reason = option;
        self
    }

    /// The reasons, besides Forbidden, for which a FAILED report removes the token, unless a
    /// request says otherwise ([R32](crate::rulebook#r32)).
    #[must_use]
    pub fn gone_phrases(mut self, phrases: GonePhrases) -> Self {
        self.values.gone_phrases = phrases;
        self
    }

    /// The most tokens removed by FAILED of which the store remembers who held them, so that
    /// [`bring_back`](crate::ContactStore::bring_back) can append them again
    /// ([`OptionValues::remember_blocked`]).
    #[must_use]
    pub fn remember_blocked(mut self, most: usize) -> Self {
        self.values.remember_blocked = most;
        self
    }

    /// The most pairs of contacts on the list of conflicts, which a person or a program works off
    /// ([`OptionValues::conflicts`]).
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = ContactStore::open_in_memory(Options::default().conflicts(10_000))?;
    /// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
    /// # let ann = ContactUpdate::new().phone("380500000001");
    /// # store.upsert(Upsert::new(DedupeOn::Phone).contact(ann)).wait()?;
    /// # let anna = ContactUpdate::new().email("ann@example.com");
    /// # store.upsert(Upsert::new(DedupeOn::Email).contact(anna)).wait()?;
    /// // One contact has this phone, another this email.
    /// let entry = TokenEntry::new("100200300").phone("380500000001").email("ann@example.com");
    /// store.add_tokens(AddTokens::new(bot).entry(entry)).wait()?;
    /// let listed = store.snapshot()?.conflicts(None, 100)?;
    /// let [phone, email] = listed[0].contacts;
    /// assert!(phone.named_by.contains(IdentifierKind::Phone));
    /// // One person: merged, and off the list.
    /// store.merge(Merge::new(email.contact, phone.contact)).wait()?;
    /// assert!(store.snapshot()?.conflicts(None, 100)?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn conflicts(mut self, most: usize) -> Self {
        self.values.conflicts = most;
        self
    }

    /// The values that no request may give as an identifier or a token ([R3](crate::rulebook#r3)).
    #[must_use]
    pub fn placeholders(mut self, placeholders: Placeholders) -> Self {
        self.values.placeholders = placeholders;
        self
    }

    /// Turns the change feed on ([R60](crate::rulebook#r60)), and sets what it keeps.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let options = Options::default().change_feed(KeepChanges::default());
    /// let store = ContactStore::open_in_memory(options)?;
    /// let ann = ContactUpdate::new().email("ann@example.com");
    /// store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
    /// let page = store.snapshot()?.changes(ChangePosition::START, 100)?;
    /// let ann = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
    /// assert_eq!(page.changes[0].what, Changed::ContactCreated { contact: ann.id });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn change_feed(mut self, keep: KeepChanges) -> Self {
        self.values.change_feed = Some(keep);
        self
    }

    /// Lets requests have an idempotency key, and sets for how long their answers are kept
    /// ([R64](crate::rulebook#r64)). See [`ContactStore::once`](crate::ContactStore::once).
    #[must_use]
    pub fn keep_answers(mut self, keep: KeepAnswers) -> Self {
        self.values.keep_answers = Some(keep);
        self
    }

    /// The clock ([R54](crate::rulebook#r54)). Tests can use a [`ManualClock`](crate::ManualClock).
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.values.clock = clock;
        self
    }
}

impl Deref for Options {
    type Target = OptionValues;

    fn deref(&self) -> &OptionValues {
        &self.values
    }
}

/// Only the crate's own tests set options in place, through a mutable reference.
#[cfg(feature = "testing")]
impl std::ops::DerefMut for Options {
    fn deref_mut(&mut self) -> &mut OptionValues {
        &mut self.values
    }
}

/// The values of [`Options`].
#[derive(Clone)]
#[non_exhaustive]
pub struct OptionValues {
    /// What to do when the file is missing, or already exists.
    pub create: Create,
    /// When the pages of the file are verified at opening.
    pub check: Check,
    /// The most bytes of memory for cached pages, taken as they are needed. Default 256 MiB.
    pub cache_bytes: usize,
    /// The most bytes of memory for the indexes. They take about 50 bytes for each contact. Default
    /// 1 GiB.
    ///
    /// What does not fit is read from the file: look-ups give the same answers and take longer.
    /// Changes that are not in the file's indexes yet are always kept in memory: at most an eighth
    /// of all identifiers and tokens, at 30 bytes each.
    pub index_memory: usize,
    /// The most bytes of memory for cached cards, which save reading the file for contacts that are
    /// looked up often. A card of at most 288 bytes in the file takes 320. With 0 no cards are cached.
    ///
    /// Default `None`: a quarter of `cache_bytes`, so 64 MiB, for about 200,000 cards.
    pub card_memory: Option<usize>,
    /// Whether to upgrade a file of an older format to the current one. By default such a file is
    /// refused with [`OpenError::OldFormat`](crate::OpenError::OldFormat).
    ///
    /// An upgrade is one commit. If it is interrupted, the file has either the old format or the
    /// new one. The file grows by about its own size; later writes use that space. Versions of this
    /// crate that know only the older format can no longer open it.
    pub upgrade: bool,
    /// Whether to open the file for reading only ([R68](crate::rulebook#r68)). Default: no.
    ///
    /// No byte of the file changes, so it may be on a read-only mount or have mode 0400. A file
    /// that was not closed cleanly is repaired in memory, at each opening. All reads work, and
    /// every write is refused with [`Error::ReadOnly`](crate::Error::ReadOnly). A file is never
    /// created, and one of an older format is refused.
    ///
    /// Any number of processes may open the file for reading at the same time.
    ///
    /// While another process writes, the store shows the last durable state at its opening, and stays
    /// with it: open the file again to see a later one. That holds up no commit. The pages of that
    /// state are not used again until the reader closes the store or ends, so the file may grow. They
    /// are not verified at opening, which the writer has done; records are when they are read. While
    /// the writer is just opening the file, a reader waits for up to two seconds.
    ///
    /// While nobody writes, the file is verified as at every opening. Until such a reader closes it,
    /// it cannot be opened for writing.
    ///
    /// On systems without locks on ranges of a file (other than Linux, macOS and Windows, and on some
    /// network file systems), a file that is open for writing cannot be opened for reading:
    /// [`OpenError::AlreadyOpen`](crate::OpenError::AlreadyOpen).
    pub read_only: bool,
    /// A function that is told the progress of opening, a few times a second when opening takes
    /// long. It runs on the thread that opens.
    pub on_opening: Option<Arc<dyn Fn(Opening) + Send + Sync>>,
    /// The limits, each with its default in [`Limits`].
    pub limits: Limits,
    /// How contacts are matched, unless a request says otherwise ([R14](crate::rulebook#r14)).
    pub policy: MatchPolicy,
    /// How tokens of other contacts are treated, unless a request says otherwise
    /// ([R22](crate::rulebook#r22)).
    pub ownership: Ownership,
    /// How invalid identifiers are treated, unless a request says otherwise
    /// ([R13](crate::rulebook#r13)).
    pub invalid_identifier: InvalidIdentifier,
    /// How unknown contact ids are treated, unless a request says otherwise
    /// ([R18](crate::rulebook#r18)).
    pub unknown_contact_id: UnknownContactId,
    /// What a FAILED report without a reason does, unless a request says otherwise
    /// ([R32](crate::rulebook#r32)).
    pub failed_without_reason: FailedWithoutReason,
    /// The reasons, besides Forbidden, for which a FAILED report removes the token, unless a
    /// request says otherwise ([R32](crate::rulebook#r32)).
    pub gone_phrases: GonePhrases,
    /// The most tokens removed by FAILED of which the store remembers who held them, so that
    /// [`bring_back`](crate::ContactStore::bring_back) can append them again
    /// ([R63](crate::rulebook#r63)). When there are that many, the oldest is forgotten for each new
    /// one. A record takes about 100 bytes of the file, and 30 for each further contact. At most
    /// 10,000,000 ([`BLOCKED_TOKENS_REMEMBERED`](crate::limits::BLOCKED_TOKENS_REMEMBERED)). Default 0:
    /// nothing new is remembered. What was remembered before stays, until it is brought back or
    /// ends.
    pub remember_blocked: usize,
    /// The most pairs of contacts on the list of conflicts: pairs that one request named as if they
    /// were one contact ([R61](crate::rulebook#r61)). When there are that many, a new pair is not
    /// listed, and [`Stats::conflicts_not_kept`](crate::Stats::conflicts_not_kept) counts it. A pair
    /// takes about 150 bytes of the file, and an accepted entry of add-tokens a look-up more for each
    /// identifier that did not find the contact. At most 10,000,000
    /// ([`CONFLICTS_LISTED`](crate::limits::CONFLICTS_LISTED)). Default 0: nothing is listed or counted. What was listed
    /// before stays, until the contacts are merged, one is erased or the conflict is
    /// [dismissed](crate::ContactStore::dismiss_conflict).
    pub conflicts: usize,
    /// The values that no request may give as an identifier or a token ([R3](crate::rulebook#r3)).
    pub placeholders: Placeholders,
    /// What the change feed keeps ([R60](crate::rulebook#r60)). Default: `None`, the feed is off.
    ///
    /// A file whose feed was ever on has format 3, and older versions of this crate cannot open it. While
    /// the feed is off, nothing is recorded. When it is on again after requests that changed the store, it
    /// begins anew, since it would have a gap, and what it kept before is dropped.
    ///
    /// Erasing a contact then takes time in proportion to its kept changes.
    ///
    /// A backup has the feed as it was. Once a store was restored from one, it has other changes at the
    /// positions after it: readers have to begin anew.
    pub change_feed: Option<KeepChanges>,
    /// Which answers of requests with an idempotency key are kept ([R64](crate::rulebook#r64)). Default:
    /// `None`, such a request is refused with
    /// [`Error::AnswersNotKept`](crate::Error::AnswersNotKept).
    ///
    /// A file that ever got such a request has format 3, and older versions of this crate cannot open it.
    /// Answers that it has stay in it while this is off.
    pub keep_answers: Option<KeepAnswers>,
    /// The clock ([R54](crate::rulebook#r54)). Default: the system's.
    pub clock: Arc<dyn Clock>,
    /// Options that only the crate's own tests set.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub testing: Testing,
}

/// Options that only the crate's own tests set.
#[cfg(feature = "testing")]
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Testing {
    /// Which bits of an index key count: with few of them, values share index rows.
    pub hash_mask: u64,
    /// The format that a new file says it has.
    pub format: u32,
    /// When and how much of the indexes is folded: a number of changes, of bytes and of shards in a
    /// commit, and of entries in a bucket.
    pub folding: (usize, usize, usize, u64),
    /// The random numbers of a new file, so that a test can make the same bytes again.
    pub random: Option<[u128; 2]>,
}

#[cfg(feature = "testing")]
impl Default for Testing {
    fn default() -> Self {
        Testing {
            hash_mask: u64::MAX,
            format: crate::storage::OLDEST_FORMAT,
            folding: {
                let Folding {
                    after,
                    slice_bytes,
                    slice_places,
                    bucket_entries,
                } = Folding::default();
                (after, slice_bytes, slice_places, bucket_entries)
            },
            random: None,
        }
    }
}

impl Default for OptionValues {
    fn default() -> Self {
        OptionValues {
            create: Create::default(),
            check: Check::default(),
            cache_bytes: 256 << 20,
            index_memory: 1 << 30,
            card_memory: None,
            upgrade: false,
            read_only: false,
            on_opening: None,
            limits: Limits::default(),
            policy: MatchPolicy::default(),
            ownership: Ownership::default(),
            invalid_identifier: InvalidIdentifier::default(),
            unknown_contact_id: UnknownContactId::default(),
            failed_without_reason: FailedWithoutReason::default(),
            gone_phrases: GonePhrases::default(),
            remember_blocked: 0,
            conflicts: 0,
            placeholders: Placeholders::default(),
            change_feed: None,
            keep_answers: None,
            clock: Arc::new(SystemClock),
            #[cfg(feature = "testing")]
            testing: Testing::default(),
        }
    }
}

impl OptionValues {
    /// The options that decide a request to add tokens, unless it says otherwise.
    pub(crate) fn in_force(&self) -> OptionsInForce {
        OptionsInForce {
            policy: self.policy,
            ownership: self.ownership,
            invalid_identifier: self.invalid_identifier,
            unknown_contact_id: self.unknown_contact_id,
        }
    }

    /// Refuses lists that would take more of the file than anybody needs.
    pub(crate) fn validate(&self) -> Result<(), LimitTooHigh> {
        let most = BLOCKED_TOKENS_REMEMBERED;
        LimitTooHigh::check("remember_blocked", self.remember_blocked, most)?;
        LimitTooHigh::check("conflicts", self.conflicts, CONFLICTS_LISTED)
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        self.on_opening.clone().map(Progress)
    }

    pub(crate) fn hash_mask(&self) -> u64 {
        #[cfg(feature = "testing")]
        return self.testing.hash_mask;
        #[cfg(not(feature = "testing"))]
        u64::MAX
    }

    pub(crate) fn folding(&self) -> Folding {
        #[cfg(feature = "testing")]
        {
            let (after, slice_bytes, slice_places, bucket_entries) = self.testing.folding;
            Folding {
                after,
                slice_bytes,
                slice_places,
                bucket_entries,
            }
        }
        #[cfg(not(feature = "testing"))]
        Folding::default()
    }

    pub(crate) fn format(&self) -> u32 {
        #[cfg(feature = "testing")]
        return self.testing.format;
        #[cfg(not(feature = "testing"))]
        crate::storage::OLDEST_FORMAT
    }

    pub(crate) fn random(&self) -> Option<[u128; 2]> {
        #[cfg(feature = "testing")]
        return self.testing.random;
        #[cfg(not(feature = "testing"))]
        None
    }
}

// Not derived: a clock need not be `Debug`.
impl fmt::Debug for OptionValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionValues")
            .field("create", &self.create)
            .field("check", &self.check)
            .field("cache_bytes", &self.cache_bytes)
            .field("index_memory", &self.index_memory)
            .field("card_memory", &self.card_memory)
            .field("upgrade", &self.upgrade)
            .field("read_only", &self.read_only)
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .field("ownership", &self.ownership)
            .field("invalid_identifier", &self.invalid_identifier)
            .field("unknown_contact_id", &self.unknown_contact_id)
            .field("failed_without_reason", &self.failed_without_reason)
            .field("gone_phrases", &self.gone_phrases)
            .field("remember_blocked", &self.remember_blocked)
            .field("conflicts", &self.conflicts)
            .field("placeholders", &self.placeholders)
            .field("change_feed", &self.change_feed)
            .field("keep_answers", &self.keep_answers)
            .finish_non_exhaustive()
    }
}

/// What opening does when the file is missing, or already exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Create {
    /// Opens the file, or creates one if it is missing. The default.
    #[default]
    IfMissing,
    /// Opens the file. If it is missing, fails with
    /// [`OpenError::NotFound`](crate::OpenError::NotFound).
    Never,
    /// Creates a file. If there already is one, fails with
    /// [`OpenError::AlreadyExists`](crate::OpenError::AlreadyExists).
    Always,
}

named!(Create, Create, "ifMissing, never or always", {
    IfMissing => "ifMissing",
    Never => "never",
    Always => "always",
});

/// When the pages of the file are verified at opening.
///
/// Verifying reads the whole file, at about 2 GB a second when the system has it in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// At each opening. A file with a flipped bit is refused. The default.
    #[default]
    Always,
    /// Only when the file was not closed cleanly. This is for files so large that reading them
    /// takes too long.
    ///
    /// It is weaker: damage to a cleanly closed file is found only when a call meets it. In most
    /// cases that is a typed error. But a lost page of an index reads as an identifier that no
    /// contact has. And opening, a write or closing that meets damage can end the process, because
    /// the storage engine may panic while a panic unwinds.
    IfUnclean,
}

named!(Check, Check, "always or ifUnclean", {
    Always => "always",
    IfUnclean => "ifUnclean",
});

/// What a write does when the queue is full ([`Limits::waiting_requests`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused with [`Error::Busy`](crate::Error::Busy). The default.
    #[default]
    Busy,
    /// It waits inside the [`Pending`](crate::Pending) for a place in the queue. Dropping the
    /// `Pending` before it has a place withdraws the write.
    Wait,
}

named!(WhenFull, WhenFull, "busy or wait", {
    Busy => "busy",
    Wait => "wait",
});
