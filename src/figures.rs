//! What a store counts of its own work since it was opened, for whoever watches it.
//!
//! The writer counts once for each group of requests; nothing is counted for a look-up. This module
//! holds numbers and words of this crate alone: nothing that a request or the file holds (R52).

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::sequence::SequenceNumber;

/// What a store says of itself.
///
/// `sequence`, `contacts`, `subscribers` and `apps` are of one state: the last that the store knows
/// to be durable. After a failed commit, and while reopening fails, that is the one before it, and
/// `needs_reopen` says so.
///
/// What is counted is counted since [`open`](crate::ContactStore::open);
/// [`reopen`](crate::ContactStore::reopen) goes on counting. A request is counted before it is
/// answered, so who was answered finds itself in the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of the last durable state.
    pub sequence: SequenceNumber,
    /// How many contacts there are.
    pub contacts: u64,
    /// How many subscribers the connected apps have together.
    pub subscribers: u64,
    /// How many apps are connected.
    pub apps: u64,
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// The most memory for cached pages, as the store was opened
    /// ([`Options::cache_bytes`](crate::Options::cache_bytes)).
    pub cache_bytes: usize,
    /// The permission bits of the file at opening, when others than its owner had any (R53). The
    /// store neither changes nor refuses such a file.
    pub wider_mode: Option<u32>,
    /// Reading or writing failed: the store takes no writes until it is reopened (R49).
    pub needs_reopen: bool,
    /// The file is no longer at its path: the store takes no writes until it is back (R69). Found out
    /// within a second; never on systems whose files have no numbers.
    pub file_moved: bool,
    /// Requests that wait in the queue now. Those being committed are not among them.
    pub waiting_requests: usize,
    /// Bytes of text that the waiting requests hold.
    pub waiting_text_bytes: usize,
    /// Requests that found the queue full and wait for a place in it now
    /// ([`WhenFull::Wait`](crate::WhenFull::Wait)).
    pub waiting_for_place: usize,
    /// Durable commits. One may hold no request: what a disconnected app left is removed in commits
    /// as well (R11).
    pub commits: u64,
    /// Commits that failed: of each, it is known only after reopening whether it took place (R49).
    pub failed_commits: u64,
    /// How long each durable commit took: writing and making durable, without waiting and deciding.
    pub commit_latency: Latencies,
    /// How many requests were decided for each durable commit: all that shared it, those that
    /// changed nothing or were refused too. A request done in several commits is in each.
    pub group_sizes: GroupSizes,
    /// What became of the requests: one for each kind of operation, always all and in this order.
    pub operations: Vec<OperationFigures>,
}

/// How long something took. All zero when it never happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latencies {
    /// How often it happened.
    pub count: u64,
    /// All times together.
    pub sum: Duration,
    /// Half took no longer, to two significant figures.
    pub p50: Duration,
    /// 99 in 100 took no longer, to two significant figures.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// How many requests shared a commit. All zero when there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupSizes {
    /// How many commits there were.
    pub count: u64,
    /// The requests of all of them together.
    pub sum: u64,
    /// Half of the commits had no more, to two significant figures.
    pub p50: u64,
    /// 99 in 100 commits had no more, to two significant figures.
    pub p99: u64,
    /// The most.
    pub max: u64,
}

/// What became of the requests of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationFigures {
    /// The kind: `addTokens`, `recordReports`, `upsert`, `removeToken`, `erase`, `connectApp`,
    /// `disconnectApp` or `forgetMessages`.
    pub operation: &'static str,
    /// Requests answered with an outcome, each once what it changed was durable.
    pub accepted: u64,
    /// Requests answered with an error, whichever: also those that never came into the queue, and
    /// those of which it is not known whether they are in ([`Error::Indeterminate`]).
    ///
    /// [`Error::Indeterminate`]: crate::Error::Indeterminate
    pub refused: u64,
    /// What became of the entries of the accepted requests. Always all words of the kind, in this
    /// order:
    ///
    /// - `addTokens`: each entry is either `refused`, or `created` or `found` (its contact) and
    ///   `added`, `alreadyHeld` or `moved` (its token);
    /// - `recordReports`: `recorded`, `removed`, `unknownSubscriber` or `refused`;
    /// - `upsert`: `created`, `updated`, `unchanged` or `refused`;
    /// - `removeToken`: `removed` or `notHeld`;
    /// - `erase`: `erased` or `unknownContact`;
    /// - `forgetMessages`: `forgotten`, the tallies removed;
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
    Erase,
    ConnectApp,
    DisconnectApp,
    ForgetMessages,
}

impl OperationKind {
    const ALL: [OperationKind; 8] = [
        OperationKind::AddTokens,
        OperationKind::RecordReports,
        OperationKind::Upsert,
        OperationKind::RemoveToken,
        OperationKind::Erase,
        OperationKind::ConnectApp,
        OperationKind::DisconnectApp,
        OperationKind::ForgetMessages,
    ];

    fn name(self) -> &'static str {
        match self {
            OperationKind::AddTokens => "addTokens",
            OperationKind::RecordReports => "recordReports",
            OperationKind::Upsert => "upsert",
            OperationKind::RemoveToken => "removeToken",
            OperationKind::Erase => "erase",
            OperationKind::ConnectApp => "connectApp",
            OperationKind::DisconnectApp => "disconnectApp",
            OperationKind::ForgetMessages => "forgetMessages",
        }
    }

    /// What can become of an entry.
    fn outcomes(self) -> &'static [Became] {
        use Became::{
            Added, AlreadyHeld, Created, Erased, Forgotten, Found, Moved, NotHeld, Recorded,
            Refused, Removed, Unchanged, UnknownContact, UnknownSubscriber, Updated,
        };
        match self {
            OperationKind::AddTokens => &[Created, Found, Added, AlreadyHeld, Moved, Refused],
            OperationKind::RecordReports => &[Recorded, Removed, UnknownSubscriber, Refused],
            OperationKind::Upsert => &[Created, Updated, Unchanged, Refused],
            OperationKind::RemoveToken => &[Removed, NotHeld],
            OperationKind::Erase => &[Erased, UnknownContact],
            OperationKind::ForgetMessages => &[Forgotten],
            OperationKind::ConnectApp | OperationKind::DisconnectApp => &[],
        }
    }
}

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Became {
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
    Erased,
    UnknownContact,
    Forgotten,
    Refused,
}

impl Became {
    fn name(self) -> &'static str {
        match self {
            Became::Created => "created",
            Became::Found => "found",
            Became::Added => "added",
            Became::AlreadyHeld => "alreadyHeld",
            Became::Moved => "moved",
            Became::Updated => "updated",
            Became::Unchanged => "unchanged",
            Became::Recorded => "recorded",
            Became::Removed => "removed",
            Became::UnknownSubscriber => "unknownSubscriber",
            Became::NotHeld => "notHeld",
            Became::Erased => "erased",
            Became::UnknownContact => "unknownContact",
            Became::Forgotten => "forgotten",
            Became::Refused => "refused",
        }
    }
}

/// How much a durable state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) sequence: SequenceNumber,
    pub(crate) contacts: u64,
    pub(crate) subscribers: u64,
    pub(crate) apps: u64,
}

/// The figures while they are counted.
#[derive(Clone)]
pub(crate) struct Figures {
    /// Of the last durable state.
    pub(crate) held: Held,
    failed_commits: u64,
    commit_micros: Spread,
    group_sizes: Spread,
    operations: BTreeMap<OperationKind, Tally>,
}

impl Figures {
    pub(crate) fn new(held: Held) -> Self {
        /// A commit that takes longer counts as an hour in p50 and p99.
        const AN_HOUR: u64 = 3_600_000_000;
        /// More wait for one commit only in a queue that is a thousand times the default.
        const MOST_REQUESTS: u64 = 1 << 20;
        Figures {
            held,
            failed_commits: 0,
            commit_micros: Spread::up_to(AN_HOUR),
            group_sizes: Spread::up_to(MOST_REQUESTS),
            operations: BTreeMap::new(),
        }
    }

    /// Counts a durable commit.
    pub(crate) fn committed(&mut self, held: Held, took: Duration, requests: usize) {
        self.held = held;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commit_micros.count(micros);
        self.group_sizes
            .count(u64::try_from(requests).unwrap_or(u64::MAX));
    }

    /// Counts a commit of which it is not known whether it took place.
    pub(crate) fn commit_failed(&mut self) {
        self.failed_commits = self.failed_commits.saturating_add(1);
    }

    pub(crate) fn failed_commits(&self) -> u64 {
        self.failed_commits
    }

    /// Counts an answer, and gives the place to count what became of its entries.
    pub(crate) fn accepted(&mut self, kind: OperationKind) -> &mut Tally {
        let tally = self.operations.entry(kind).or_default();
        tally.accepted = tally.accepted.saturating_add(1);
        tally
    }

    /// Counts an answer that is an error.
    pub(crate) fn refused(&mut self, kind: OperationKind) {
        let tally = self.operations.entry(kind).or_default();
        tally.refused = tally.refused.saturating_add(1);
    }

    pub(crate) fn commit_latency(&self) -> Latencies {
        let spread = &self.commit_micros;
        Latencies {
            count: spread.count,
            sum: Duration::from_micros(spread.sum),
            p50: Duration::from_micros(spread.quantile(0.5)),
            p99: Duration::from_micros(spread.quantile(0.99)),
            max: Duration::from_micros(spread.max),
        }
    }

    pub(crate) fn group_sizes(&self) -> GroupSizes {
        let spread = &self.group_sizes;
        GroupSizes {
            count: spread.count,
            sum: spread.sum,
            p50: spread.quantile(0.5),
            p99: spread.quantile(0.99),
            max: spread.max,
        }
    }

    pub(crate) fn operations(&self) -> Vec<OperationFigures> {
        let nothing = Tally::default();
        let figures = |kind: OperationKind| {
            let tally = self.operations.get(&kind).unwrap_or(&nothing);
            let count = |became: &Became| tally.entries.get(became).copied().unwrap_or(0);
            let outcomes = kind.outcomes().iter();
            OperationFigures {
                operation: kind.name(),
                accepted: tally.accepted,
                refused: tally.refused,
                outcomes: outcomes
                    .map(|became| (became.name(), count(became)))
                    .collect(),
            }
        };
        OperationKind::ALL.into_iter().map(figures).collect()
    }
}

/// What became of the requests of one kind, while it is counted.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    accepted: u64,
    refused: u64,
    entries: BTreeMap<Became, u64>,
}

impl Tally {
    /// Counts one entry.
    pub(crate) fn entry(&mut self, became: Became) {
        self.entries(became, 1);
    }

    /// Counts entries of which the same became.
    pub(crate) fn entries(&mut self, became: Became, entries: u64) {
        let count = self.entries.entry(became).or_default();
        *count = count.saturating_add(entries);
    }
}

/// How values are spread: exact count, sum and most; quantiles to two significant figures, in at most
/// 27 KB of memory.
#[derive(Clone)]
struct Spread {
    count: u64,
    sum: u64,
    max: u64,
    /// `None` never happens: the bounds are constants that it takes.
    histogram: Option<Histogram<u64>>,
}

impl Spread {
    /// Larger values count as `highest` in quantiles.
    fn up_to(highest: u64) -> Self {
        Spread {
            count: 0,
            sum: 0,
            max: 0,
            histogram: Histogram::new_with_max(highest, 2).ok(),
        }
    }

    fn count(&mut self, value: u64) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(value);
        }
    }

    fn quantile(&self, quantile: f64) -> u64 {
        let value = self.histogram.as_ref();
        let value = value.map_or(0, |histogram| histogram.value_at_quantile(quantile));
        // The histogram gives the upper end of a step.
        value.min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_percent_and_never_above_the_most() {
        let mut spread = Spread::up_to(3_600_000_000);
        assert_eq!((spread.quantile(0.5), spread.quantile(0.99)), (0, 0));
        for value in 1..=100_000 {
            spread.count(value);
        }
        for (quantile, exact) in [(0.5, 50_000), (0.99, 99_000)] {
            let found = spread.quantile(quantile);
            assert!((exact..=exact + exact / 100).contains(&found), "{found}");
        }
        assert_eq!((spread.count, spread.max), (100_000, 100_000));
        assert_eq!(spread.sum, 5_000_050_000);
        assert_eq!(spread.quantile(1.0), 100_000);
    }

    #[test]
    fn a_value_out_of_bounds_counts_and_is_the_most() {
        let mut spread = Spread::up_to(1 << 20);
        spread.count(0);
        spread.count(u64::MAX);
        assert_eq!((spread.count, spread.max), (2, u64::MAX));
        assert_eq!(spread.quantile(0.5), 0);
        assert!(spread.quantile(0.99) >= 1 << 20);
    }

    #[test]
    fn both_spreads_fit_into_what_is_said_of_them() {
        let figures = Figures::new(Held {
            sequence: SequenceNumber::default(),
            contacts: 0,
            subscribers: 0,
            apps: 0,
        });
        for spread in [figures.commit_micros, figures.group_sizes] {
            let counts = spread
                .histogram
                .map_or(usize::MAX, |of| of.distinct_values());
            assert!(counts <= 27_000 / size_of::<u64>(), "{counts}");
        }
    }
}
