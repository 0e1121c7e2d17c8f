//! Removing the stale subscribers of an app, on the host's own order (R62).

use crate::error::Error;
use crate::model::app::AppId;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::operations::remove_token;
use crate::rules::{self, Removal};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{AppRow, CardRow, Draft, Rows as _, SubscriberRow, visit_subscribers_after};

/// A request to remove an app's subscribers that were neither registered nor reported about since a
/// time ([R62](crate::rulebook#r62)).
///
/// The time is in milliseconds since 1970 UTC. It is a bound, and is used unchanged
/// ([R54](crate::rulebook#r54)): a subscriber last registered or reported about at this very time is
/// not stale.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # let year_ago = Timestamp::from_millis(1_700_000_000_000);
/// # let long_ago = Timestamp::from_millis(1_600_000_000_000);
/// # let entry = TokenEntry::new("100200300").email("ann@example.com");
/// # store.add_tokens(AddTokens::new(bot).entry(entry).at(long_ago)).wait()?;
/// let request = RemoveStale::new(bot, year_ago);
/// let found = store.remove_stale(request.dry_run(true)).wait()?.outcome;
/// assert_eq!((found.subscribers, found.dry_run), (1, true));
/// let removed = store.remove_stale(request).wait()?.outcome;
/// assert_eq!((removed.subscribers, removed.dry_run), (1, false));
/// assert_eq!(store.snapshot()?.apps()?[0].subscribers, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveStale {
    app: AppId,
    before: Timestamp,
    dry_run: bool,
}

impl RemoveStale {
    /// Makes a request to remove the subscribers of `app` whose last registration and latest report
    /// are both older than `before`.
    #[must_use]
    pub fn new(app: AppId, before: Timestamp) -> Self {
        RemoveStale {
            app,
            before,
            dry_run: false,
        }
    }

    /// Sets whether the stale subscribers are only counted. Nothing is written then, and no number
    /// is taken.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    pub(crate) fn prepare(self) -> PreparedRemoveStale {
        PreparedRemoveStale {
            request: self,
            after: None,
            so_far: StaleRemoved {
                subscribers: 0,
                taken_off: 0,
                dry_run: self.dry_run,
            },
        }
    }
}

/// The outcome of a request to remove stale subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleRemoved {
    /// The number of subscribers removed, or that a dry run would have removed.
    pub subscribers: u64,
    /// The number of times that a contact lost a token by it. A contact that held two of the
    /// subscribers counts twice, and so does a subscriber that two contacts held.
    pub taken_off: u64,
    /// Whether they were only counted.
    pub dry_run: bool,
}

/// A request to remove stale subscribers, under way.
#[derive(Clone)]
pub(crate) struct PreparedRemoveStale {
    request: RemoveStale,
    /// The subscriber after which to continue.
    after: Option<SubscriberId>,
    so_far: StaleRemoved,
}

impl Described for RemoveStale {
    fn describe(&self, to: &mut Description) {
        let RemoveStale {
            app,
            before,
            dry_run,
        } = self;
        to.parts(&[app, before, dry_run]);
    }
}

impl Operation for PreparedRemoveStale {
    type Outcome = StaleRemoved;

    const KIND: OperationKind = OperationKind::RemoveStale;

    fn size(&self) -> Size {
        Size::one(0)
    }

    /// Looks at a bounded number of subscribers for each commit, and changes a bounded number of
    /// cards in it.
    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<StaleRemoved>, Error> {
        /// Subscribers looked at in one step.
        const LOOK_AT: u64 = 4_096;
        /// The step ends with the subscriber that reaches this number of cards. Such a commit takes
        /// some tens of milliseconds.
        const CARDS: u64 = 1_000;
        let RemoveStale {
            app,
            before,
            dry_run,
        } = self.request;
        // The subscribers of another connection are not those that the host meant.
        let is_same = |row: &AppRow| self.after.is_none_or(|after| after.app() == row.number);
        let row = draft.row(&app)?.filter(is_same);
        let row: AppRow = row.ok_or(Error::UnknownApp(app))?;
        let (mut looked_at, mut cards) = (0_u64, 0_u64);
        let mut last = self.after;
        let mut stale = Vec::new();
        visit_subscribers_after(draft, row.number, self.after, |id, subscriber, holders| {
            last = Some(id);
            looked_at = looked_at.saturating_add(1);
            let registered_at = subscriber.last_registered_at;
            if rules::is_stale(registered_at, subscriber.last_status, before) {
                stale.push(id);
                draft.foresee::<CardRow>(holders.iter());
                cards = cards.saturating_add(u64::try_from(holders.len()).unwrap_or(u64::MAX));
            }
            looked_at < LOOK_AT && cards < CARDS
        })?;
        self.after = last;
        let subscribers = u64::try_from(stale.len()).unwrap_or(u64::MAX);
        self.so_far.subscribers = self.so_far.subscribers.saturating_add(subscribers);
        self.so_far.taken_off = self.so_far.taken_off.saturating_add(cards);
        if !dry_run {
            for id in stale {
                let subscriber: SubscriberRow = draft.expect_row(&id)?;
                let removal = Removal::of_stale_token();
                remove_token::take_off(draft, (id, &subscriber), &subscriber.holders, removal)?;
            }
        }
        if looked_at < LOOK_AT && cards < CARDS {
            return Ok(Step::Done(self.so_far));
        }
        Ok(Step::Again)
    }

    fn count(outcome: &StaleRemoved, tally: &mut Tally) {
        let word = match outcome.dry_run {
            true => EntryOutcome::Found,
            false => EntryOutcome::Removed,
        };
        tally.entries(word, outcome.subscribers);
    }
}
