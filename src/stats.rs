//! What a store counts about its own work since it was opened, for monitoring.
//!
//! The writer counts once for each group of requests. Look-ups are not counted. This module holds
//! only numbers and words of this crate, nothing from a request or the file (R52).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::StorageError;
use crate::model::change::ChangePosition;
use crate::model::sequence::SequenceNumber;

/// How much of the file is in use ([`ContactStore::space`](crate::ContactStore::space)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Space {
    /// The length of the file in bytes. 0 of a store in a database.
    pub file_bytes: u64,
    /// The bytes of the pages that hold rows, or lead to them. Of a store in a database, the bytes of its tables and
    /// their indexes.
    pub used_bytes: u64,
    /// All other bytes: free for the next writes, kept for open snapshots, or used by the storage
    /// engine itself.
    pub free_bytes: u64,
}

/// The counts and the condition of a store, from
/// [`ContactStore::stats`](crate::ContactStore::stats).
///
/// `sequence`, `contacts`, `subscribers`, `apps` and `merged` describe one state: the last that the store
/// knows to be durable. After a failed commit, and while reopening fails, that is the state before
/// the commit, and `needs_reopen` is set. Of a database that other hosts write to, it is the last that
/// this store committed or took a snapshot of.
///
/// Counting begins at [`open`](crate::ContactStore::open), and
/// [`reopen`](crate::ContactStore::reopen) does not reset it. A request is counted before it is
/// answered, so a caller that has its answer finds its request in the stats.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of the last durable state.
    pub sequence: SequenceNumber,
    /// The number of contacts.
    pub contacts: u64,
    /// The number of subscribers of all connected apps.
    pub subscribers: u64,
    /// The number of connected apps.
    pub apps: u64,
    /// The number of contacts that were merged into others, of which a record is kept
    /// ([R58](crate::rulebook#r58)). At most
    /// [`MERGES_PER_CONTACT`](crate::limits::MERGES_PER_CONTACT) for each contact.
    pub merged: u64,
    /// The number of subscribers that have a mute, ended or not ([R59](crate::rulebook#r59)). Those
    /// that a disconnected app left count until they are removed.
    pub muted: u64,
    /// The number of suppressed identifiers ([R65](crate::rulebook#r65)).
    pub suppressed: u64,
    /// The most identifiers that may be suppressed
    /// ([`Limits::suppressed_identifiers`](crate::Limits::suppressed_identifiers)).
    pub most_suppressed: u64,
    /// The number of tokens removed by FAILED that can be
    /// [brought back](crate::ContactStore::bring_back) ([R63](crate::rulebook#r63)). Those that a
    /// disconnected app left count until they are removed.
    pub blocked: u64,
    /// The most of them that are remembered
    /// ([`Options::remember_blocked`](crate::Options::remember_blocked)). Records of before this was
    /// lowered stay a while.
    pub most_blocked: u64,
    /// The number of pairs of contacts on the [list of conflicts](crate::Snapshot::conflicts)
    /// ([R61](crate::rulebook#r61)).
    pub conflicts: u64,
    /// The most of them that are listed ([`Options::conflicts`](crate::Options::conflicts)). Pairs of
    /// before this was lowered stay.
    pub most_conflicts: u64,
    /// How often a pair was not listed because the list was full, since the store was opened.
    pub conflicts_not_kept: u64,
    /// What the store is kept in: `file`, or `postgres` for a database. A store in memory is a `file`.
    pub engine: &'static str,
    /// What the connections to the database do. `None` of a store in a file.
    pub database: Option<DatabaseStats>,
    /// The length of the file in bytes. 0 of a store in a database, which keeps no pages, indexes or cards in
    /// memory either.
    pub file_bytes: u64,
    /// The most memory for cached pages in bytes, as set when the store was opened
    /// ([`Options::cache_bytes`](crate::Options::cache_bytes)).
    pub cache_bytes: usize,
    /// The memory that the indexes take now, in bytes
    /// ([`Options::index_memory`](crate::Options::index_memory)).
    pub index_bytes: usize,
    /// Whether the indexes are entirely in memory. If not, some look-ups read a bucket of the file,
    /// because the store was opened just now or the indexes do not fit.
    pub index_is_complete: bool,
    /// The changes of the indexes that are still in a log and wait to be folded into their buckets.
    pub index_pending: u64,
    /// Whether a part of the indexes in the file was found damaged since the file was opened.
    /// Look-ups that need it fail, and changes are no longer folded.
    /// [`Snapshot::verify`](crate::Snapshot::verify) says which part it is.
    pub index_is_damaged: bool,
    /// The memory that the cached cards take now, in bytes
    /// ([`Options::card_memory`](crate::Options::card_memory)).
    pub card_bytes: usize,
    /// What the change feed keeps. `None` while it is off ([R60](crate::rulebook#r60)).
    pub changes: Option<ChangeStats>,
    /// The answers kept of requests with an idempotency key. `None` while none are kept
    /// ([R64](crate::rulebook#r64)).
    pub answers: Option<AnswerStats>,
    /// The version of this crate.
    pub version: &'static str,
    /// The time since the oldest state that a [`Snapshot`](crate::Snapshot) still holds was first
    /// read. While it is held, old pages stay in the file. The last durable state does not count.
    /// `None` when there is no such snapshot.
    pub oldest_snapshot: Option<Duration>,
    /// The error of the last failed commit. `None` when no commit failed.
    pub last_failure: Option<String>,
    /// The permission bits of the file at opening, if users other than its owner had any
    /// ([R53](crate::rulebook#r53)). The store neither changes nor refuses such a file.
    pub wider_mode: Option<u32>,
    /// Whether reading or writing failed, and the store refuses writes until it is reopened
    /// ([R49](crate::rulebook#r49)).
    pub needs_reopen: bool,
    /// Whether the file is no longer at its path, and the store refuses writes until it is back
    /// ([R69](crate::rulebook#r69)). Noticed within a second, but never on systems without inode
    /// numbers.
    pub file_moved: bool,
    /// The requests that wait in the queue now, without those being committed.
    pub waiting_requests: usize,
    /// The bytes of text that the waiting requests hold.
    pub waiting_text_bytes: usize,
    /// The requests that found the queue full and wait for a place in it now
    /// ([`WhenFull::Wait`](crate::WhenFull::Wait)).
    pub waiting_for_place: usize,
    /// The durable commits. Some hold no request: they remove what a disconnected app left
    /// ([R11](crate::rulebook#r11)).
    pub commits: u64,
    /// The commits that failed. Only reopening tells whether such a commit took place
    /// ([R49](crate::rulebook#r49)).
    pub failed_commits: u64,
    /// The time of each durable commit: writing and syncing, without waiting and deciding.
    pub commit_latency: Histogram<Duration>,
    /// The requests decided for each durable commit, including those that changed nothing or were
    /// refused. A request that takes several commits is in each.
    pub group_sizes: Histogram<u64>,
    /// The outcomes of the requests, one item for each kind of operation. All kinds are always
    /// there, in a fixed order.
    pub operations: Vec<OperationStats>,
}

/// What the change feed of a store keeps ([R60](crate::rulebook#r60)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeStats {
    /// The number of changes kept. It may be over `most` by some hundreds, and by more after the bound
    /// was lowered, until commits have dropped them.
    pub kept: u64,
    /// The number of changes to keep ([`KeepChanges::changes`](crate::KeepChanges::changes)).
    pub most: u64,
    /// The oldest position whose changes are all kept.
    pub oldest: ChangePosition,
    /// The position of the newest change.
    pub newest: ChangePosition,
}

/// The answers that a store keeps of requests with an idempotency key ([R64](crate::rulebook#r64)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerStats {
    /// The number of answers kept, including those whose time is over and that were not removed yet.
    pub kept: u64,
    /// The number of answers to keep ([`KeepAnswers::answers`](crate::KeepAnswers::answers)).
    pub most: u64,
    /// The requests that repeated another one, and were answered with its outcome.
    pub repeated: u64,
}

/// The answers that a state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptAnswers {
    pub(crate) kept: u64,
    pub(crate) most: u64,
}

/// What the connections of a store in a database do, since the store was opened.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ContactStore::open_in_memory(Options::default())?;
/// let stats = store.stats()?;
/// assert_eq!((stats.engine, stats.database), ("file", None));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// The connections that are open now: those of snapshots, those that are idle, that for writing, and that which
    /// hears of other hosts.
    pub open_connections: usize,
    /// Those of them that wait for a snapshot.
    pub idle_connections: usize,
    /// The most connections that may be open: those of snapshots, as set by `PostgresOptions::connections`, one for
    /// writing, and one that hears of other hosts, which is made once somebody waits for changes.
    pub most_connections: usize,
    /// The connections made.
    pub connections_made: u64,
    /// How often no connection could be made, or one was lost.
    pub failures: u64,
    /// How often the server was asked something and waited for. What is asked together counts once.
    pub round_trips: u64,
    /// The time since the server answered last. It grows while the store is idle, and while the server cannot be
    /// reached.
    pub since_answer: Duration,
}

/// What a store keeps in memory besides pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    pub(crate) index_bytes: usize,
    pub(crate) index_is_complete: bool,
    pub(crate) index_pending: u64,
    pub(crate) index_is_damaged: bool,
    pub(crate) card_bytes: usize,
}

/// A histogram: the number of values up to each of several bounds.
///
/// The bounds are the same in every store, so histograms of several stores can be added. The
/// difference of two histograms of one store describes the time between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram<T> {
    /// The number of values.
    pub count: u64,
    /// The sum of all values.
    pub sum: T,
    /// The greatest value, or zero if there was none.
    pub max: T,
    /// The bounds in ascending order, each with the number of values that were not greater. Values
    /// greater than the last bound are in `count` alone.
    pub buckets: Vec<(T, u64)>,
}

/// The outcomes of the requests of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationStats {
    /// The kind: `addTokens`, `recordReports`, `upsert`, `removeToken`, `renameToken`, `erase`,
    /// `merge`, `unmerge`, `split`, `connectApp`, `disconnectApp`, `forgetMessages`, `removeStale`,
    /// `mute`, `unmute`, `liftSuppression`, `bringBack`, `dismissConflict` or `import`.
    pub operation: &'static str,
    /// The requests answered with an outcome. Each is counted once its change is durable. Those that
    /// repeat another one ([R64](crate::rulebook#r64)) are counted here, and not in `outcomes`.
    pub accepted: u64,
    /// The requests answered with any error. These include requests that never entered the queue,
    /// and indeterminate ones ([`Error::Indeterminate`]).
    ///
    /// [`Error::Indeterminate`]: crate::Error::Indeterminate
    pub refused: u64,
    /// The outcomes of the entries of the accepted requests. All words of the kind are always
    /// there, in this order:
    ///
    /// - `addTokens`: each entry is either `refused`, or `created` or `found` (its contact) and
    ///   `added`, `alreadyHeld` or `moved` (its token);
    /// - `recordReports`: `recorded`, `removed`, `unknownSubscriber` or `refused`;
    /// - `upsert`: `created`, `updated`, `unchanged` or `refused`;
    /// - `removeToken`: `removed` or `notHeld`;
    /// - `renameToken`: `renamed`, `joined` or `unknownSubscriber`;
    /// - `erase`: `erased` or `unknownContact`;
    /// - `merge`: `merged`;
    /// - `unmerge`: `unmerged`, or `unmergedInPart` when the contact did not get everything back;
    /// - `split`: `splitOff`;
    /// - `forgetMessages`: `forgotten`, the tallies removed;
    /// - `removeStale`: `removed`, the subscribers removed, and `found`, those that dry runs counted;
    /// - `mute`: `muted` or `unknownSubscriber`;
    /// - `unmute`: `unmuted`, `notMuted` or `unknownSubscriber`;
    /// - `liftSuppression`: `lifted` if anything was suppressed, else `notSuppressed`;
    /// - `bringBack`: `broughtBack` or `notRemembered`;
    /// - `dismissConflict`: `dismissed` or `notListed`;
    /// - `import`: `created`, `unchanged` or `refused`, the rows of imports of whole stores;
    /// - `connectApp`, `disconnectApp`: none.
    pub outcomes: Vec<(&'static str, u64)>,
}

/// The kinds of operations, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OperationKind {
    AddTokens,
    RecordReports,
    Upsert,
    RemoveToken,
    RenameToken,
    Erase,
    Merge,
    Unmerge,
    Split,
    ConnectApp,
    DisconnectApp,
    ForgetMessages,
    RemoveStale,
    Mute,
    Unmute,
    LiftSuppression,
    BringBack,
    DismissConflict,
    Import,
}

impl OperationKind {
    const ALL: [OperationKind; 19] = [
        OperationKind::AddTokens,
        OperationKind::RecordReports,
        OperationKind::Upsert,
        OperationKind::RemoveToken,
        OperationKind::RenameToken,
        OperationKind::Erase,
        OperationKind::Merge,
        OperationKind::Unmerge,
        OperationKind::Split,
        OperationKind::ConnectApp,
        OperationKind::DisconnectApp,
        OperationKind::ForgetMessages,
        OperationKind::RemoveStale,
        OperationKind::Mute,
        OperationKind::Unmute,
        OperationKind::LiftSuppression,
        OperationKind::BringBack,
        OperationKind::DismissConflict,
        OperationKind::Import,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            OperationKind::AddTokens => "addTokens",
            OperationKind::RecordReports => "recordReports",
            OperationKind::Upsert => "upsert",
            OperationKind::RemoveToken => "removeToken",
            OperationKind::RenameToken => "renameToken",
            OperationKind::Erase => "erase",
            OperationKind::Merge => "merge",
            OperationKind::Unmerge => "unmerge",
            OperationKind::Split => "split",
            OperationKind::ConnectApp => "connectApp",
            OperationKind::DisconnectApp => "disconnectApp",
            OperationKind::ForgetMessages => "forgetMessages",
            OperationKind::RemoveStale => "removeStale",
            OperationKind::Mute => "mute",
            OperationKind::Unmute => "unmute",
            OperationKind::LiftSuppression => "liftSuppression",
            OperationKind::BringBack => "bringBack",
            OperationKind::DismissConflict => "dismissConflict",
            OperationKind::Import => "import",
        }
    }

    /// The outcomes that an entry can have.
    fn outcomes(self) -> &'static [EntryOutcome] {
        use EntryOutcome::{
            Added, AlreadyHeld, BroughtBack, Created, Dismissed, Erased, Forgotten, Found, Joined,
            Lifted, Merged, Moved, Muted, NotHeld, NotListed, NotMuted, NotRemembered,
            NotSuppressed, Recorded, Refused, Removed, Renamed, SplitOff, Unchanged,
            UnknownContact, UnknownSubscriber, Unmerged, UnmergedInPart, Unmuted, Updated,
        };
        match self {
            OperationKind::AddTokens => &[Created, Found, Added, AlreadyHeld, Moved, Refused],
            OperationKind::RecordReports => &[Recorded, Removed, UnknownSubscriber, Refused],
            OperationKind::Upsert => &[Created, Updated, Unchanged, Refused],
            OperationKind::RemoveToken => &[Removed, NotHeld],
            OperationKind::RenameToken => &[Renamed, Joined, UnknownSubscriber],
            OperationKind::Erase => &[Erased, UnknownContact],
            OperationKind::Merge => &[Merged],
            OperationKind::Unmerge => &[Unmerged, UnmergedInPart],
            OperationKind::Split => &[SplitOff],
            OperationKind::ForgetMessages => &[Forgotten],
            OperationKind::RemoveStale => &[Removed, Found],
            OperationKind::Mute => &[Muted, UnknownSubscriber],
            OperationKind::Unmute => &[Unmuted, NotMuted, UnknownSubscriber],
            OperationKind::LiftSuppression => &[Lifted, NotSuppressed],
            OperationKind::BringBack => &[BroughtBack, NotRemembered],
            OperationKind::DismissConflict => &[Dismissed, NotListed],
            OperationKind::Import => &[Created, Unchanged, Refused],
            OperationKind::ConnectApp | OperationKind::DisconnectApp => &[],
        }
    }
}

/// The outcome of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryOutcome {
    Created,
    Found,
    Added,
    AlreadyHeld,
    Moved,
    Updated,
    Unchanged,
    Recorded,
    Removed,
    UnknownSubscriber,
    NotHeld,
    Renamed,
    Joined,
    Erased,
    UnknownContact,
    Merged,
    Unmerged,
    UnmergedInPart,
    SplitOff,
    Forgotten,
    Muted,
    Unmuted,
    NotMuted,
    Lifted,
    NotSuppressed,
    BroughtBack,
    NotRemembered,
    Dismissed,
    NotListed,
    Refused,
}

impl EntryOutcome {
    fn name(self) -> &'static str {
        match self {
            EntryOutcome::Created => "created",
            EntryOutcome::Found => "found",
            EntryOutcome::Added => "added",
            EntryOutcome::AlreadyHeld => "alreadyHeld",
            EntryOutcome::Moved => "moved",
            EntryOutcome::Updated => "updated",
            EntryOutcome::Unchanged => "unchanged",
            EntryOutcome::Recorded => "recorded",
            EntryOutcome::Removed => "removed",
            EntryOutcome::UnknownSubscriber => "unknownSubscriber",
            EntryOutcome::NotHeld => "notHeld",
            EntryOutcome::Renamed => "renamed",
            EntryOutcome::Joined => "joined",
            EntryOutcome::Erased => "erased",
            EntryOutcome::UnknownContact => "unknownContact",
            EntryOutcome::Merged => "merged",
            EntryOutcome::Unmerged => "unmerged",
            EntryOutcome::UnmergedInPart => "unmergedInPart",
            EntryOutcome::SplitOff => "splitOff",
            EntryOutcome::Forgotten => "forgotten",
            EntryOutcome::Muted => "muted",
            EntryOutcome::Unmuted => "unmuted",
            EntryOutcome::NotMuted => "notMuted",
            EntryOutcome::Lifted => "lifted",
            EntryOutcome::NotSuppressed => "notSuppressed",
            EntryOutcome::BroughtBack => "broughtBack",
            EntryOutcome::NotRemembered => "notRemembered",
            EntryOutcome::Dismissed => "dismissed",
            EntryOutcome::NotListed => "notListed",
            EntryOutcome::Refused => "refused",
        }
    }
}

/// How much a durable state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) sequence: SequenceNumber,
    pub(crate) contacts: u64,
    pub(crate) subscribers: u64,
    pub(crate) apps: u64,
    pub(crate) changes: Option<ChangeStats>,
    pub(crate) merged: u64,
    pub(crate) muted: u64,
    pub(crate) suppressed: u64,
    pub(crate) blocked: u64,
    pub(crate) conflicts: u64,
    pub(crate) answers: Option<KeptAnswers>,
}

/// The bounds for the time of a commit in microseconds, from a fast disk to a failing one.
const COMMIT_MICROS: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

/// The bounds for the number of requests that share a commit.
const GROUP_SIZES: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];

/// The stats while they are being counted.
#[derive(Clone)]
pub(crate) struct RunningStats {
    /// The counts of the last durable state.
    pub(crate) counts: StateCounts,
    repeated: u64,
    conflicts_not_kept: u64,
    failed_commits: u64,
    last_failure: Option<String>,
    commit_micros: RunningHistogram,
    group_sizes: RunningHistogram,
    operations: BTreeMap<OperationKind, Tally>,
}

impl RunningStats {
    pub(crate) fn new(counts: StateCounts) -> Self {
        RunningStats {
            counts,
            repeated: 0,
            conflicts_not_kept: 0,
            failed_commits: 0,
            last_failure: None,
            commit_micros: RunningHistogram::up_to(&COMMIT_MICROS),
            group_sizes: RunningHistogram::up_to(&GROUP_SIZES),
            operations: BTreeMap::new(),
        }
    }

    /// Notes what a state holds that was read, and that may be newer.
    pub(crate) fn note(&mut self, counts: StateCounts) {
        if counts.sequence > self.counts.sequence {
            self.counts = counts;
        }
    }

    /// Counts a durable commit.
    pub(crate) fn committed(&mut self, counts: StateCounts, took: Duration, requests: usize) {
        self.counts = counts;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commit_micros.count(micros);
        self.group_sizes
            .count(u64::try_from(requests).unwrap_or(u64::MAX));
    }

    /// Counts a failed commit. It is unknown whether it took place.
    pub(crate) fn commit_failed(&mut self, cause: &StorageError) {
        self.failed_commits = self.failed_commits.saturating_add(1);
        self.last_failure = Some(cause.to_string());
    }

    /// Counts conflicts that were not listed because the list is full.
    pub(crate) fn not_kept(&mut self, conflicts: u64) {
        self.conflicts_not_kept = self.conflicts_not_kept.saturating_add(conflicts);
    }

    pub(crate) fn conflicts_not_kept(&self) -> u64 {
        self.conflicts_not_kept
    }

    pub(crate) fn last_failure(&self) -> Option<String> {
        self.last_failure.clone()
    }

    pub(crate) fn failed_commits(&self) -> u64 {
        self.failed_commits
    }

    /// Counts an accepted request, and returns the tally for the outcomes of its entries.
    pub(crate) fn accepted(&mut self, kind: OperationKind) -> &mut Tally {
        let tally = self.operations.entry(kind).or_default();
        tally.accepted = tally.accepted.saturating_add(1);
        tally
    }

    /// Counts a request answered with an error.
    pub(crate) fn refused(&mut self, kind: OperationKind) {
        let tally = self.operations.entry(kind).or_default();
        tally.refused = tally.refused.saturating_add(1);
    }

    /// Counts an accepted request that repeats another one. The outcomes of its entries were counted then.
    pub(crate) fn repeated(&mut self, kind: OperationKind) {
        self.accepted(kind);
        self.repeated = self.repeated.saturating_add(1);
    }

    pub(crate) fn answers(&self) -> Option<AnswerStats> {
        let KeptAnswers { kept, most } = self.counts.answers?;
        Some(AnswerStats {
            kept,
            most,
            repeated: self.repeated,
        })
    }

    pub(crate) fn commit_latency(&self) -> Histogram<Duration> {
        self.commit_micros.histogram(Duration::from_micros)
    }

    pub(crate) fn group_sizes(&self) -> Histogram<u64> {
        self.group_sizes.histogram(|size| size)
    }

    pub(crate) fn operations(&self) -> Vec<OperationStats> {
        let nothing = Tally::default();
        let stats = |kind: OperationKind| {
            let tally = self.operations.get(&kind).unwrap_or(&nothing);
            let count = |outcome: &EntryOutcome| tally.entries.get(outcome).copied().unwrap_or(0);
            let outcomes = kind.outcomes().iter();
            OperationStats {
                operation: kind.name(),
                accepted: tally.accepted,
                refused: tally.refused,
                outcomes: outcomes
                    .map(|outcome| (outcome.name(), count(outcome)))
                    .collect(),
            }
        };
        OperationKind::ALL.into_iter().map(stats).collect()
    }
}

/// The outcomes of the requests of one kind, while they are being counted.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    accepted: u64,
    refused: u64,
    entries: BTreeMap<EntryOutcome, u64>,
}

impl Tally {
    /// Counts one entry.
    pub(crate) fn entry(&mut self, outcome: EntryOutcome) {
        self.entries(outcome, 1);
    }

    /// Counts entries with the same outcome.
    pub(crate) fn entries(&mut self, outcome: EntryOutcome, entries: u64) {
        let count = self.entries.entry(outcome).or_default();
        *count = count.saturating_add(entries);
    }
}

/// A histogram while its values are being counted.
#[derive(Clone)]
struct RunningHistogram {
    count: u64,
    sum: u64,
    max: u64,
    /// The bounds, each with the number of values between it and the bound before.
    buckets: Vec<(u64, u64)>,
}

impl RunningHistogram {
    fn up_to(bounds: &[u64]) -> Self {
        RunningHistogram {
            count: 0,
            sum: 0,
            max: 0,
            buckets: bounds.iter().map(|bound| (*bound, 0)).collect(),
        }
    }

    fn count(&mut self, value: u64) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| value <= *bound) {
            *count = count.saturating_add(1);
        }
    }

    fn histogram<T>(&self, of: impl Fn(u64) -> T) -> Histogram<T> {
        let mut counted = 0_u64;
        let buckets = self.buckets.iter().map(|(bound, count)| {
            counted = counted.saturating_add(*count);
            (of(*bound), counted)
        });
        Histogram {
            buckets: buckets.collect(),
            count: self.count,
            sum: of(self.sum),
            max: of(self.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_every_bound_that_is_not_smaller() {
        let mut running = RunningHistogram::up_to(&[1, 5, 10]);
        for value in [0, 1, 2, 5, 6, 11, u64::MAX] {
            running.count(value);
        }
        let found = running.histogram(|value| value);
        assert_eq!(found.buckets, [(1, 2), (5, 4), (10, 5)]);
        assert_eq!((found.count, found.sum, found.max), (7, u64::MAX, u64::MAX));
    }

    #[test]
    fn bounds_ascend() {
        assert!(COMMIT_MICROS.is_sorted_by(|a, b| a < b));
        assert!(GROUP_SIZES.is_sorted_by(|a, b| a < b));
    }
}
