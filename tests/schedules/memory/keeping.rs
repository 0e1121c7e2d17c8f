//! Cards that are kept while others are changed: a snapshot is given a card as it shows it itself, never
//! a newer or an older one (R47).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use shuttle::rand::{Rng as _, thread_rng};

use super::cards::{Cards, KEEPS_OUT};
use crate::explore::{Met, explore};
use crate::model::identifier::ContactId;
use crate::sync::{Arc, RwLock};
use crate::world::together;

/// Room for one chunk of slots, in which the first two have the same slot. With a lock of `shuttle`, a
/// slot takes more than 320 bytes, and 640 at most.
const ROOM: usize = 256 * 640;
const CONTACTS: [u64; 4] = [1, 257, 2, 3];
const COMMITS: u64 = 6;

const TAKEN: &str = "cards taken";
const TAKEN_BY_OLDER: &str = "cards taken by an older snapshot";
const PUT_LATE: &str = "cards read by a snapshot that was not the newest any more";
const IN_COMMIT: &str = "cards taken while slots were emptied";

fn id(value: u64) -> ContactId {
    ContactId::new(value).unwrap()
}

/// The bytes of a card: the contact, and since which version it is as it is.
type Card = [u8; 16];

fn card(contact: u64, since: u64) -> Card {
    let mut card = [0; 16];
    card[..8].copy_from_slice(&contact.to_le_bytes());
    card[8..].copy_from_slice(&since.to_le_bytes());
    card
}

/// What a contact's card became, and from which version on. `None`: it was erased.
type History = Vec<(u64, Option<Card>)>;

struct World {
    cards: Cards,
    /// The version of the newest snapshot.
    newest: RwLock<u64>,
    // Those of `std`: what the file holds, and looking on, must not be steps of the schedule.
    histories: Mutex<BTreeMap<u64, History>>,
    durable: AtomicU64,
    emptying: AtomicBool,
    met: Met,
}

impl World {
    fn new() -> Arc<Self> {
        let world = World {
            cards: Cards::new(ROOM),
            newest: RwLock::new(0),
            histories: Mutex::default(),
            durable: AtomicU64::new(0),
            emptying: AtomicBool::new(false),
            met: Met::default(),
        };
        CONTACTS.iter().for_each(|contact| world.write(*contact, 0));
        for contact in &CONTACTS[..2] {
            (0..=KEEPS_OUT).for_each(|_| world.look(*contact, 0));
        }
        assert!(world.cards.get(id(CONTACTS[0]), 0).is_none(), "two slots");
        Arc::new(world)
    }

    /// Changes a card in the file, or now and then erases it.
    fn write(&self, contact: u64, version: u64) {
        let erased = version > 0 && thread_rng().gen_range(0..8) == 0;
        let card = (!erased).then(|| card(contact, version));
        let mut histories = self.histories();
        histories.entry(contact).or_default().push((version, card));
    }

    fn histories(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, History>> {
        let histories = self.histories.lock();
        histories.unwrap_or_else(PoisonError::into_inner)
    }

    /// The card as it is in the file at a version.
    fn read(&self, contact: u64, version: u64) -> Option<Card> {
        let histories = self.histories();
        let mut history = histories[&contact].iter().rev();
        let of_version = history.find(|(since, _)| *since <= version);
        of_version.unwrap().1
    }

    /// What a snapshot of this version does when it is asked for a card.
    fn look(&self, contact: u64, version: u64) {
        let is_newest = || self.durable.load(Ordering::SeqCst) == version;
        if let Some(kept) = self.cards.get(id(contact), version) {
            let in_file = self.read(contact, version);
            let in_file = in_file.as_ref().map(|card| &card[..]);
            assert_eq!(Some(kept.bytes()), in_file, "shown at version {version}");
            self.met.count(TAKEN, 1);
            self.met.count(TAKEN_BY_OLDER, u64::from(!is_newest()));
            let emptying = self.emptying.load(Ordering::SeqCst);
            self.met.count(IN_COMMIT, u64::from(emptying));
        } else if let Some(card) = self.read(contact, version) {
            self.cards.put(id(contact), version, &card);
            self.met.count(PUT_LATE, u64::from(!is_newest()));
        }
    }

    /// Commits changes of some cards, each of which was looked at before.
    fn commit(&self, version: u64) {
        let mut changed = vec![any_contact()];
        if thread_rng().gen_bool(0.5) {
            changed.push(any_contact());
        }
        changed.dedup();
        for contact in &changed {
            self.look(*contact, version - 1);
        }
        changed
            .iter()
            .for_each(|contact| self.write(*contact, version));
        self.durable.store(version, Ordering::SeqCst);
        self.emptying.store(true, Ordering::SeqCst);
        let changed = changed.into_iter().map(id);
        self.cards.advance(version, changed);
        self.emptying.store(false, Ordering::SeqCst);
        *self.newest.write().unwrap() = version;
    }

    /// Keeps a snapshot for some looks, takes the newest, and so on.
    fn look_often(&self) {
        let mut version = 0;
        for _ in 0..12 {
            if thread_rng().gen_range(0..3) == 0 {
                version = *self.newest.read().unwrap();
            }
            self.look(any_contact(), version);
        }
    }
}

fn any_contact() -> u64 {
    CONTACTS[thread_rng().gen_range(0..CONTACTS.len())]
}

#[test]
fn r47_a_card_that_was_kept_is_neither_newer_nor_older_than_the_snapshot_that_asks() {
    let least = [
        (TAKEN, 20_000),
        (TAKEN_BY_OLDER, 1_000),
        (PUT_LATE, 1_000),
        (IN_COMMIT, 500),
    ];
    explore(6_000, &least, |met| {
        let world = World::new();
        let look = |_| -> Box<dyn FnOnce() + Send> {
            let world = Arc::clone(&world);
            Box::new(move || world.look_often())
        };
        let mut threads: Vec<_> = (0..2).map(look).collect();
        let writer = Arc::clone(&world);
        threads.push(Box::new(move || {
            (1..=COMMITS).for_each(|version| writer.commit(version));
        }));
        together(threads);
        // One chunk was made, by one of them.
        assert!((1..=ROOM).contains(&world.cards.bytes()));
        world.met.tell(met);
    });
}
