//! What the change feed says of random sequences (R60): each difference of the cards before and after, and
//! a reader of it has what the store has, also after it missed something.

use std::collections::{BTreeMap, BTreeSet};

use contact_store::{
    Card, Changed, ContactId, ContactStore, Error, KeepChanges, Snapshot, SubscriberId,
};

use crate::model::Request;
use crate::support::follower::Follower;

/// What the feed of a case keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Off,
    KeepsAll,
    KeepsFew,
    /// On and off by turns: it changes each time that the store is closed and opened.
    OnAndOff,
}

impl Feed {
    /// The option of a store, which is opened for the first time if `first`.
    pub fn option(self, turns_on: bool) -> Option<KeepChanges> {
        match self {
            Feed::Off => None,
            Feed::KeepsAll => Some(KeepChanges::default()),
            Feed::KeepsFew => Some(KeepChanges::default().changes(4)),
            Feed::OnAndOff => turns_on.then(KeepChanges::default),
        }
    }
}

const MISSED: &str = "a reader missed changes";
const FOLLOWED: &str = "a reader followed";

/// A reader of the feed of one case.
pub struct Reader {
    feed: Feed,
    follower: Follower,
    /// It reads only sometimes.
    turn: usize,
    seen: BTreeSet<&'static str>,
}

impl Reader {
    pub fn new(feed: Feed) -> Self {
        Reader {
            feed,
            follower: Follower::default(),
            turn: 0,
            seen: BTreeSet::new(),
        }
    }

    /// What it met.
    pub fn seen(self) -> impl Iterator<Item = String> {
        self.seen.into_iter().map(str::to_owned)
    }

    /// Reads what these requests changed, after the state `before`.
    pub fn read(
        &mut self,
        before: &Snapshot,
        store: &ContactStore,
        requests: &[&Request],
    ) -> Result<(), String> {
        let now = store.snapshot().unwrap();
        if self.feed == Feed::KeepsAll {
            says_all(before, &now, requests)?;
        }
        self.turn += 1;
        if self.feed != Feed::KeepsAll && !self.turn.is_multiple_of(3) {
            return Ok(());
        }
        let met = loop {
            // In pages of one and of two changes.
            match self.follower.read_page(&now, 1 + self.turn % 2) {
                Ok(true) => {}
                Ok(false) => break FOLLOWED,
                Err(Error::ChangesNotKept { oldest }) => {
                    if self.feed == Feed::KeepsAll || oldest <= self.follower.read_to() {
                        return Err(format!("kept after {oldest} only"));
                    }
                    self.follower.begin_anew(&now);
                    break MISSED;
                }
                Err(error) => return Err(format!("{error:?}")),
            }
        };
        self.seen.insert(met);
        self.follower.compare(&now)
    }
}

/// What happened to a contact, as far as its card before and after says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Created,
    Updated,
    Erased,
    /// Added, moved to it or renamed.
    Has(SubscriberId),
    Lost(SubscriberId),
}

/// The feed says everything in which the cards before and after differ, and nothing else if the request is
/// of a single entry.
fn says_all(before: &Snapshot, now: &Snapshot, requests: &[&Request]) -> Result<(), String> {
    let page = now.changes(before.newest_change(), 1_000).unwrap();
    let said: BTreeSet<(ContactId, Seen)> = page
        .changes
        .iter()
        .filter_map(|change| {
            let seen = match change.what {
                Changed::ContactCreated { .. }
                | Changed::ContactUnmerged { .. }
                | Changed::ContactSplitOff { .. } => Seen::Created,
                Changed::ContactUpdated { .. } => Seen::Updated,
                Changed::ContactErased { .. } | Changed::ContactMerged { .. } => Seen::Erased,
                Changed::TokenAdded { subscriber, .. }
                | Changed::TokenMoved { subscriber, .. }
                | Changed::TokenRenamed { subscriber, .. } => Seen::Has(subscriber),
                Changed::TokenRemoved { subscriber, .. } => Seen::Lost(subscriber),
                _ => return None,
            };
            Some((change.what.contact()?, seen))
        })
        .collect();
    let right = differences(before, now);
    let is_plain = requests.len() == 1 && requests[0].entries() <= 1;
    let says = right.is_subset(&said) && (!is_plain || said == right);
    // Tokens of a disconnected app leave without a word.
    let disconnects = |request: &&Request| matches!(request, Request::Disconnect { .. });
    if says || requests.iter().any(disconnects) {
        return Ok(());
    }
    Err(format!(
        "the feed says {said:?} of {right:?}, after {:?}",
        page.changes.first()
    ))
}

fn differences(before: &Snapshot, now: &Snapshot) -> BTreeSet<(ContactId, Seen)> {
    let [before, now] = [before, now].map(|at| -> BTreeMap<ContactId, Card> {
        let cards = at.iter_contacts().map(|card| card.unwrap());
        cards.map(|card| (card.id, card)).collect()
    });
    let mut differences = BTreeSet::new();
    let ids: BTreeSet<ContactId> = before.keys().chain(now.keys()).copied().collect();
    for id in ids {
        let mut saw = |seen| {
            differences.insert((id, seen));
        };
        match (before.get(&id), now.get(&id)) {
            // It was created and erased again, or is as it was.
            (None, None) => {}
            (Some(_), None) => saw(Seen::Erased),
            (None, Some(card)) => {
                saw(Seen::Created);
                card.tokens
                    .iter()
                    .for_each(|held| saw(Seen::Has(held.subscriber)));
            }
            (Some(old), Some(card)) => {
                if (&old.identifiers, &old.fields) != (&card.identifiers, &card.fields) {
                    saw(Seen::Updated);
                }
                for held in &card.tokens {
                    let was = old
                        .tokens
                        .iter()
                        .find(|old| old.subscriber == held.subscriber);
                    if was != Some(held) {
                        saw(Seen::Has(held.subscriber));
                    }
                }
                // Moved to its end, and like before otherwise.
                let places = |of: &Card, others: &Card| -> Vec<SubscriberId> {
                    let others: Vec<_> = others.tokens.iter().map(|held| held.subscriber).collect();
                    let held = of.tokens.iter().map(|held| held.subscriber);
                    held.filter(|id| others.contains(id)).collect()
                };
                let places = [places(old, card), places(card, old)];
                if places[0] != places[1] {
                    saw(Seen::Has(places[1][places[1].len() - 1]));
                }
                for held in &old.tokens {
                    if !card
                        .tokens
                        .iter()
                        .any(|now| now.subscriber == held.subscriber)
                    {
                        saw(Seen::Lost(held.subscriber));
                    }
                }
            }
        }
    }
    differences
}
