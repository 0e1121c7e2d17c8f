//! Old snapshots beside a model of each: whatever was removed, added again, folded, copied to larger
//! shards or dropped from memory since, a snapshot answers as it did when it was taken, for every
//! identifier and token that there ever was (R46, R47).

use std::collections::BTreeMap;

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, GivenIdentifiers, MatchPolicy, Options,
    RemoveToken, Snapshot, Token, TokenEntry, Upsert, ValueChange,
};

use crate::failing_disk::disk::TestDisk;
use crate::support::cases::{CASES, Cases, long_form};
use crate::support::random::Random;
use crate::support::{APP, OTHER_APP, assert_sound, connect, fold_always, fold_early, id, options};

/// Identifiers of each kind, and tokens of each app.
const VALUES: usize = 60;
/// How many snapshots are kept at the same time.
const KEPT: usize = 6;
const STEPS: usize = 250;

/// What names a contact, or a subscriber by the contact that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    ExternalId(usize),
    Phone(usize),
    Email(usize),
    Token(usize),
    OtherToken(usize),
}

impl Value {
    fn all() -> impl Iterator<Item = Value> {
        (0..VALUES).flat_map(|n| {
            [
                Value::ExternalId(n),
                Value::Phone(n),
                Value::Email(n),
                Value::Token(n),
                Value::OtherToken(n),
            ]
        })
    }

    /// The contact that it leads to in a snapshot.
    fn found_in(self, now: &Snapshot) -> Option<u64> {
        let given = GivenIdentifiers::new();
        let given = match self {
            Value::ExternalId(n) => given.external_customer_id(external_id(n)),
            Value::Phone(n) => given.phone(phone(n)),
            Value::Email(n) => given.email(email(n)),
            Value::Token(n) | Value::OtherToken(n) => {
                let app = if matches!(self, Value::Token(_)) {
                    APP
                } else {
                    OTHER_APP
                };
                let found = now.subscriber_by_token(app, &Token::parse(token(n)).unwrap());
                let subscriber = found.unwrap()?;
                // By its id, too.
                assert_eq!(
                    now.subscriber(subscriber.id).unwrap().as_ref(),
                    Some(&subscriber)
                );
                let [contact] = subscriber.contacts[..] else {
                    panic!("{:?}", subscriber.contacts);
                };
                return Some(contact.value());
            }
        };
        let found = now.find(&given.parse().unwrap(), MatchPolicy::Cascade);
        Some(found.unwrap()?.card.id.value())
    }
}

fn external_id(n: usize) -> String {
    format!("customer-{n}")
}

fn phone(n: usize) -> String {
    format!("38050{n:07}")
}

fn email(n: usize) -> String {
    format!("person{n}@example.com")
}

fn token(n: usize) -> String {
    format!("token-{n}")
}

/// Which contact each value leads to: the model.
type Model = BTreeMap<Value, u64>;

/// A store that is written to, and its model.
struct Traffic {
    store: ContactStore,
    model: Model,
    random: Random,
}

impl Traffic {
    fn contact_of(&self, value: Value) -> Option<u64> {
        self.model.get(&value).copied()
    }

    /// Does one thing at random.
    fn step(&mut self) {
        let n = self.random.below(VALUES);
        match self.random.below(10) {
            0..4 => self.add(n),
            4..6 => self.move_email(n),
            6..8 => self.remove(n),
            8 => self.erase(n),
            _ => self.take_off(n),
        }
    }

    /// A token of either app for the contact with an email; a new one if there is none, under an id
    /// of its own choice now and then, also one that fits into no packed entry.
    fn add(&mut self, n: usize) {
        let to = self.random.below(VALUES);
        let (app, value) = match self.random.below(2) {
            0 => (APP, Value::Token(to)),
            _ => (OTHER_APP, Value::OtherToken(to)),
        };
        if self.contact_of(value).is_some() {
            return;
        }
        let mut entry = TokenEntry::new(token(to)).email(email(n));
        let known = self.contact_of(Value::Email(n));
        if known.is_none() {
            // Each would lead to the contact that has it.
            let others = [Value::ExternalId(n), Value::Phone(n)];
            if others
                .into_iter()
                .any(|value| self.contact_of(value).is_some())
            {
                return;
            }
            entry = entry.external_customer_id(external_id(n)).phone(phone(n));
            if self.random.below(3) == 0 {
                let above = self.random.number() % (1 << 50);
                entry = entry.contact_id(1 << 41 | above);
            }
        }
        let request = AddTokens::new(app).entry(entry);
        let added = self.store.add_tokens(request).wait().unwrap().outcome;
        let added = added.entries[0].as_ref().unwrap();
        let contact = added.contact.value();
        assert_eq!(known.is_none(), added.matched_by.is_none());
        self.model.insert(value, contact);
        if known.is_none() {
            for value in [Value::ExternalId(n), Value::Phone(n), Value::Email(n)] {
                self.model.insert(value, contact);
            }
        }
    }

    /// The email of one contact becomes another, if nobody has that: so values go from contact to
    /// contact, and come back.
    fn move_email(&mut self, n: usize) {
        let to = self.random.below(VALUES);
        let Some(contact) = self.contact_of(Value::ExternalId(n)) else {
            return;
        };
        if self.contact_of(Value::Email(to)).is_some() {
            return;
        }
        let update = ContactUpdate::new()
            .external_customer_id(external_id(n))
            .email(email(to));
        self.upsert(update);
        self.model
            .retain(|value, of| !matches!(value, Value::Email(_)) || *of != contact);
        self.model.insert(Value::Email(to), contact);
    }

    fn upsert(&self, update: ContactUpdate) {
        let request = Upsert::new(DedupeOn::Phone).contact(update);
        let outcome = self.store.upsert(request).wait().unwrap().outcome;
        outcome[0].as_ref().unwrap();
    }

    /// Takes the phone off a card.
    fn take_off(&mut self, n: usize) {
        if self.contact_of(Value::ExternalId(n)).is_none() {
            return;
        }
        let contact = self.contact_of(Value::ExternalId(n));
        let update = ContactUpdate::new()
            .external_customer_id(external_id(n))
            .phone(ValueChange::Remove);
        self.upsert(update);
        self.model
            .retain(|value, of| !matches!(value, Value::Phone(_)) || Some(*of) != contact);
    }

    fn remove(&mut self, n: usize) {
        let token = Token::parse(token(n)).unwrap();
        let request = RemoveToken::of_all(APP, token);
        let removed = self.store.remove_token(request).wait().unwrap();
        let was = self.model.remove(&Value::Token(n));
        let from = removed.outcome.from.first().map(|id| id.value());
        assert_eq!(from, was);
    }

    fn erase(&mut self, n: usize) {
        let Some(contact) = self.contact_of(Value::Phone(n)) else {
            return;
        };
        assert!(self.store.erase(id(contact)).wait().unwrap().outcome.erased);
        self.model.retain(|_, of| *of != contact);
    }
}

fn assert_shows(now: &Snapshot, model: &Model, what: &str) {
    for value in Value::all() {
        let right = model.get(&value).copied();
        assert_eq!(value.found_in(now), right, "{what}, {value:?}");
    }
}

/// Takes snapshots along the way, and asks the old ones everything, again and again.
fn old_snapshots_stay_right(seed: u64, options: Options) {
    let disk = TestDisk::empty();
    let open = || ContactStore::open_on_disk(disk.clone(), options.clone()).unwrap();
    let store = open();
    connect(&store);
    let mut traffic = Traffic {
        store,
        model: Model::new(),
        random: Random(seed),
    };
    let mut kept: Vec<(usize, Snapshot, Model)> = Vec::new();
    for step in 0..STEPS {
        traffic.step();
        if step % 60 == 59 {
            // The snapshots of a store that is closed show nothing; the next begin with indexes that
            // are filled from their buckets.
            kept.clear();
            traffic.store.close().unwrap();
            traffic.store = open();
            assert_shows(&traffic.store.snapshot().unwrap(), &traffic.model, "opened");
        }
        if step % 5 == 0 {
            if kept.len() == KEPT {
                let place = traffic.random.below(KEPT);
                kept.remove(place);
            }
            let now = traffic.store.snapshot().unwrap();
            kept.push((step, now, traffic.model.clone()));
        }
        if step % 15 == 14 {
            for (taken, then, model) in &kept {
                assert_shows(then, model, &format!("step {step}, of step {taken}"));
            }
        }
    }
    for (taken, then, model) in &kept {
        assert_shows(then, model, &format!("in the end, of step {taken}"));
        assert_eq!(then.verify().unwrap().problems, []);
    }
    assert_sound(&traffic.store);
}

#[test]
fn r46_an_old_snapshot_answers_as_it_did_whatever_was_removed_added_again_and_folded_since() {
    let cases = Cases::new();
    for seed in 0..if long_form() { 2_000 } else { 60 } {
        let (mut options, _) = options();
        options.testing.hash_mask = [u64::MAX, 0, 0xff][seed as usize % 3];
        options.index_memory = [1 << 30, 0, 4_000, 40_000][seed as usize % 4];
        match seed % 5 {
            0 => {}
            1 | 2 => fold_early(&mut options),
            3 => options.testing.folding = (10, 1_000, 4_096, 3),
            _ => fold_always(&mut options),
        }
        let name = format!("seed {seed}");
        cases.run(&name, move || old_snapshots_stay_right(seed, options));
    }
    cases.finish(&[(CASES, 60)]);
}

/// Readers that never stop beside a writer: each look-up is right for the state it is made of.
#[test]
fn r47_readers_beside_a_writer_that_folds_always_find_what_their_snapshot_has() {
    let (mut options, _) = options();
    fold_early(&mut options);
    options.index_memory = 20_000;
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk, options).unwrap();
    connect(&store);
    let mut traffic = Traffic {
        store: store.clone(),
        model: Model::new(),
        random: Random(9),
    };
    let models = std::sync::Mutex::new(BTreeMap::from([(
        store.snapshot().unwrap().sequence(),
        Model::new(),
    )]));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let mut looks = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                let now = store.snapshot().unwrap();
                // The writer notes the model of a state after it is answered.
                let Some(model) = models.lock().unwrap().get(&now.sequence()).cloned() else {
                    continue;
                };
                assert_shows(&now, &model, "beside the writer");
                looks += 1;
            }
            looks
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for _ in 0..400 {
            traffic.step();
            let now = store.snapshot().unwrap().sequence();
            models.lock().unwrap().insert(now, traffic.model.clone());
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        let looks: u64 = readers.map(|reader| reader.join().unwrap()).iter().sum();
        assert!(looks > 20, "{looks} looks");
    });
    assert_sound(&store);
}
