//! Verifying a committed state: every row against every other that must agree with it, both ways.
//!
//! Reads nothing but that state, so it runs while others write. It does not repair, and it does
//! not look at pages: those are verified at opening.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::{ContactId, Email, ExternalCustomerId};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;

use super::committed::Committed;
use super::format::keys;
use super::format::keys::{MessageKey, RowKey};
use super::format::record;
use super::format::record::Row;
use super::format::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, FormerIdRow, MessageRow, SubscriberRow, TakenRow,
};
use super::guard::Failure;
use super::index::{IDENTIFIERS, identifier_hash};
use super::read::{Each, Rows};
use super::tables::{Key, Table};
use super::unique::{
    Entry, Index, IndexHash, IndexState, Place, Unfolded, bucket, layout, read_buckets, read_log,
};

/// No more problems than this are listed; all are counted.
const LISTED_PROBLEMS: usize = 1_000;

/// What [`verify`](crate::Snapshot::verify) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The number of the state that was verified.
    pub sequence: SequenceNumber,
    /// Rows read, of all tables.
    pub rows: u64,
    /// Entries of the four indexes: one for each external id, phone, email and token.
    pub index_entries: u64,
    /// Changes of the indexes that their buckets do not have yet. They are in a log, which is read
    /// with the buckets: nothing is wrong with them.
    pub index_pending: u64,
    /// Entries of buckets that the log removes. They wait for being folded away.
    pub index_stale: u64,
    /// What is wrong, the first 1,000.
    pub problems: Vec<Problem>,
    /// How many things are wrong.
    pub problem_count: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }
}

/// One thing that is wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The table.
    pub table: &'static str,
    /// The row: a contact id, subscriber id, app number or index key. `None` where the key is or
    /// holds personal data, and where the problem is the table's.
    pub row: Option<u64>,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Verifies a committed state.
///
/// Damage that is found is a problem in the list; an error means that it could not be read at all.
pub(crate) fn verify(committed: &Committed) -> Result<Verified, Failure> {
    let mut check = Check {
        committed,
        seen: Seen::default(),
        state: IndexState::default(),
        pending: HashMap::new(),
        found: Verified {
            sequence: committed.state().sequence,
            rows: 0,
            index_entries: 0,
            index_pending: 0,
            index_stale: 0,
            problems: Vec::new(),
            problem_count: 0,
        },
    };
    check.index_log()?;
    check.contacts()?;
    check.subscribers()?;
    check.indexes()?;
    check.buckets()?;
    check.apps()?;
    check.messages()?;
    check.taken_ids()?;
    check.former_ids()?;
    check.counters();
    Ok(check.found)
}

/// What was counted on the way.
#[derive(Default)]
struct Seen {
    contacts: u64,
    of_app: BTreeMap<AppNumber, OfApp>,
    /// Apps that cards were created through.
    created_through: BTreeSet<AppNumber>,
}

/// What there is of one app.
#[derive(Default)]
struct OfApp {
    /// Contacts with a token.
    contacts: u64,
    subscribers: u64,
    /// The largest number of a subscriber.
    last_number: u64,
}

struct Check<'s> {
    committed: &'s Committed,
    seen: Seen,
    state: IndexState,
    /// The changes of the indexes that are in the log.
    pending: HashMap<Place, Unfolded>,
    found: Verified,
}

/// Every key of a table, in the type of its keys.
fn span(table: Table) -> (Key, Key) {
    match table {
        Table::Apps => (Key::Wide(0), Key::Wide(u128::MAX)),
        // A message id is at most 256 bytes of UTF-8, which has no byte 255.
        Table::Messages => (
            Key::Bytes(Box::default()),
            Key::Bytes(vec![u8::MAX; 9].into()),
        ),
        _ => (Key::Int(0), Key::Int(u64::MAX)),
    }
}

/// How a key is named in a problem.
fn shown(key: &Key) -> Option<u64> {
    match key {
        Key::Int(key) => Some(*key),
        _ => None,
    }
}

impl Check<'_> {
    fn problem(&mut self, table: Table, row: Option<u64>, what: &'static str) {
        self.found.problem_count = self.found.problem_count.saturating_add(1);
        if self.found.problems.len() < LISTED_PROBLEMS {
            self.found.problems.push(Problem {
                table: table.name(),
                row,
                what,
            });
        }
    }

    /// Reports `what` unless `right`.
    fn demand(&mut self, right: bool, table: Table, row: Option<u64>, what: &'static str) {
        if !right {
            self.problem(table, row, what);
        }
    }

    /// A row that another one names. Damage counts as absence here: it is reported where the row
    /// itself is read.
    fn named<R: Row>(&self, key: &R::Key) -> Result<Option<R>, Failure> {
        absent_if_corrupt(self.committed.row(key))
    }

    /// Hands every row of `table` to `each`, with its decoded form, or reports that it is damaged.
    ///
    /// Rows are fetched in runs, so that `each` may read other tables.
    fn each<T>(
        &mut self,
        table: Table,
        (mut first, last): (Key, Key),
        decode: impl Fn(&Key, &[u8]) -> Result<T, Failure>,
        mut each: impl FnMut(&mut Self, &Key, T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const RUN: usize = 512;
        let mut skip_first = false;
        loop {
            let mut run: Vec<(Key, Result<T, &'static str>)> = Vec::with_capacity(RUN);
            self.committed
                .walk(table, (&first, &last), true, &mut |key, bytes| {
                    if !(skip_first && key == first) {
                        let row = match decode(&key, bytes) {
                            Ok(row) => Ok(row),
                            Err(Failure::Corrupt(what)) => Err(what),
                            Err(failure) => return Err(failure),
                        };
                        run.push((key, row));
                    }
                    Ok(run.len() < RUN)
                })?;
            let Some((end, _)) = run.last() else {
                return Ok(());
            };
            (first, skip_first) = (end.clone(), true);
            for (key, row) in run {
                self.found.rows = self.found.rows.saturating_add(1);
                match row {
                    Ok(row) => each(self, &key, row)?,
                    Err(what) => self.problem(table, shown(&key), what),
                }
            }
        }
    }

    fn each_row<R: Row>(
        &mut self,
        mut each: impl FnMut(&mut Self, R::Key, R) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each(
            R::TABLE,
            span(R::TABLE),
            record::decode_row::<R>,
            |check, _, (key, row)| each(check, key, row),
        )
    }

    /// The state of the indexes, and what their log holds.
    fn index_log(&mut self) -> Result<(), Failure> {
        let state: Option<IndexState> =
            absent_if_corrupt(self.committed.row(&keys::INDEX_STATE_KEY))?;
        let Some(state) = state else {
            self.problem(
                Table::Meta,
                Some(keys::INDEX_STATE_KEY),
                "where the indexes stand cannot be read",
            );
            return Ok(());
        };
        let (mut pending, mut count) = (HashMap::<Place, Unfolded>::new(), 0_u64);
        let read = read_log(self.committed, &state, |change| {
            count = count.saturating_add(1);
            pending.entry(change.place).or_default().note(&change);
        });
        match read {
            Ok(()) => {}
            Err(Failure::Corrupt(what)) => self.problem(Table::IndexLog, None, what),
            Err(failure) => return Err(failure),
        }
        self.found.index_pending = count;
        self.demand(
            state.layout == self.committed.indexes().layout,
            Table::Meta,
            Some(keys::INDEX_STATE_KEY),
            "the buckets are not those that look-ups read",
        );
        self.pending = pending;
        let (first, last) = (state.log_first, state.log_next);
        self.state = state;
        let whole = span(Table::IndexLog);
        self.each(
            Table::IndexLog,
            whole,
            |_, _| Ok(()),
            |check, key, ()| {
                let number = u64::from_key(key)?;
                let known = (first..last).contains(&number);
                check.demand(
                    known,
                    Table::IndexLog,
                    Some(number),
                    "the row is outside of the log",
                );
                Ok(())
            },
        )
    }

    /// Demands that an index leads from a value to the row that has it: in the file, and in memory
    /// as a reader looks it up.
    fn leads_to(
        &mut self,
        (index, hash): (Index, IndexHash),
        id: u64,
        here: Table,
        missing: &'static str,
    ) -> Result<(), Failure> {
        let persisted = absent_if_corrupt(self.has_entry(index, hash, id).map(Some))?;
        self.demand(persisted == Some(true), here, Some(id), missing);
        let mut found = false;
        let read = self.committed.candidates(index, hash, &mut |other| {
            found = other == id;
            Ok(!found)
        });
        absent_if_corrupt(read.map(Some))?;
        self.demand(found, here, Some(id), "a look-up does not find the row");
        Ok(())
    }

    /// Whether the persisted index has an entry.
    fn has_entry(&self, index: Index, hash: IndexHash, id: u64) -> Result<bool, Failure> {
        let (place, wanted) = (Place::of(index, hash), Entry::new(hash, id));
        if let Some(pending) = self.pending.get(&place) {
            if pending.removed.contains(&wanted) {
                return Ok(false);
            }
            if pending.added.contains(&wanted) {
                return Ok(true);
            }
        }
        let Some(key) = self.state.layout.bucket(place, wanted.short) else {
            return Ok(false);
        };
        let key = Key::Int(key);
        let ids = self.committed.read(Table::Index, &key, |bytes| {
            record::open(Table::Index, &key, bytes, |payload| {
                bucket::ids(index, wanted.short, payload)
            })
        })?;
        Ok(ids.is_some_and(|ids| ids.contains(&id)))
    }

    fn contacts(&mut self) -> Result<(), Failure> {
        self.each_row::<CardRow>(|check, id, card| {
            const HERE: Table = Table::Contacts;
            let row = Some(id.value());
            check.seen.contacts = check.seen.contacts.saturating_add(1);

            let identifiers = &card.identifiers;
            check.demand(
                identifiers.contact_id().is_none(),
                HERE,
                row,
                "the card repeats its id",
            );
            for index in IDENTIFIERS {
                let hash = identifier_hash(check.committed.hasher(), index, identifiers);
                if let Some(hash) = hash {
                    const MISSING: &str = "an identifier is missing in its index";
                    check.leads_to((index, hash), id.value(), HERE, MISSING)?;
                }
            }
            check.seen.created_through.extend(card.created_through);
            let canonical = identifiers
                .external_customer_id()
                .is_none_or(|id| ExternalCustomerId::parse(id.as_str()).as_ref() == Ok(id))
                && identifiers.email().is_none_or(Email::is_canonical);
            check.demand(
                canonical,
                HERE,
                row,
                "an identifier is not in canonical form",
            );

            let mut held = BTreeSet::new();
            let mut apps = BTreeSet::new();
            for token in &card.tokens {
                apps.insert(token.app());
                check.demand(
                    held.insert(token.subscriber),
                    HERE,
                    row,
                    "a token is on the card twice",
                );
                let subscriber: Option<SubscriberRow> = check.named(&token.subscriber)?;
                let agrees = subscriber.is_some_and(|subscriber| {
                    subscriber.app == token.app()
                        && subscriber.token == token.token
                        && subscriber.holders.contains(&id)
                });
                check.demand(
                    agrees,
                    HERE,
                    row,
                    "a token's subscriber does not name the contact",
                );
            }
            for app in apps {
                let of_app = check.seen.of_app.entry(app).or_default();
                of_app.contacts = of_app.contacts.saturating_add(1);
            }
            let taken = check.committed.state().passed(id)
                || absent_if_corrupt(super::contact_ids::run_with(check.committed, id.value()))?
                    .is_some();
            check.demand(taken, HERE, row, "the id is not among those taken");
            Ok(())
        })
    }

    fn subscribers(&mut self) -> Result<(), Failure> {
        self.each_row::<SubscriberRow>(|check, id, subscriber| {
            const HERE: Table = Table::Subscribers;
            let row = Some(id.value());
            let of_app = check.seen.of_app.entry(subscriber.app).or_default();
            of_app.subscribers = of_app.subscribers.saturating_add(1);
            of_app.last_number = id.number();

            let hasher = check.committed.hasher();
            let hash = hasher.token(subscriber.app.0, subscriber.token.as_str());
            const MISSING: &str = "the token is missing in its index";
            check.leads_to((Index::Tokens, hash), id.value(), HERE, MISSING)?;

            let holders: BTreeSet<_> = subscriber.holders.iter().collect();
            check.demand(!holders.is_empty(), HERE, row, "no contact holds the token");
            check.demand(
                holders.len() == subscriber.holders.len(),
                HERE,
                row,
                "a contact holds the token twice",
            );
            for holder in holders {
                let card: Option<CardRow> = check.named(holder)?;
                let holds =
                    card.is_some_and(|card| card.tokens.iter().any(|held| held.subscriber == id));
                check.demand(
                    holds,
                    HERE,
                    row,
                    "a contact that holds the token does not have it on its card",
                );
            }
            Ok(())
        })
    }

    /// Every entry leads to a row with such a value, no value stands twice, and no entry is missing
    /// in the counts.
    fn indexes(&mut self) -> Result<(), Failure> {
        let mut counts = [0_u64; 4];
        let mut places = self.places_with_buckets()?;
        places.extend(self.pending.keys());
        for place in places {
            let mut old = Vec::new();
            let read = read_buckets(self.committed, &self.state.layout, place, &mut old, |_| {});
            // Damage is reported where the table itself is read.
            absent_if_corrupt(read.map(Some))?;
            let pending = self.pending.remove(&place).unwrap_or_default();
            let is_stale = |entry: &Entry| pending.removed.contains(entry);
            let stale = if pending.removed.is_empty() {
                0
            } else {
                old.iter().copied().filter(is_stale).count()
            };
            self.found.index_stale = self.found.index_stale.saturating_add(stale as u64);
            let entries = pending.fold_into(old);
            if let Some(count) = counts.get_mut(place.index().number()) {
                *count = count.saturating_add(entries.len() as u64);
            }
            for same_bits in entries.chunk_by(|a, b| a.short == b.short) {
                self.entries(place, same_bits)?;
            }
        }
        self.found.index_entries = counts.iter().copied().fold(0, u64::saturating_add);
        self.demand(
            counts == self.state.entries,
            Table::Meta,
            Some(keys::INDEX_STATE_KEY),
            "the entries of the indexes are miscounted",
        );
        Ok(())
    }

    /// The places that any bucket is of: in a small store, few of them all.
    fn places_with_buckets(&self) -> Result<BTreeSet<Place>, Failure> {
        const HERE: Table = Table::Index;
        let (first, last) = span(HERE);
        let mut places = BTreeSet::new();
        let each: &mut Each<'_> = &mut |key, _| {
            let place = layout::of_key(u64::from_key(&key)?).map(|(_, place)| place);
            places.extend(place);
            Ok(true)
        };
        self.committed.walk(HERE, (&first, &last), true, each)?;
        Ok(places)
    }

    /// Entries with the same bits of their hashes.
    fn entries(&mut self, place: Place, entries: &[Entry]) -> Result<(), Failure> {
        let mut values = BTreeSet::new();
        for entry in entries {
            match self.value_at(place, *entry)? {
                Some(value) => self.demand(
                    values.insert(value),
                    Table::Index,
                    Some(entry.id),
                    "two rows have the same value",
                ),
                None => self.problem(
                    Table::Index,
                    Some(entry.id),
                    "an entry leads to a row without such a value",
                ),
            }
        }
        Ok(())
    }

    /// The value in the row that an entry leads to, if its hash is that of the entry.
    fn value_at(&self, place: Place, entry: Entry) -> Result<Option<String>, Failure> {
        let hasher = self.committed.hasher();
        let index = place.index();
        let is_here = |hash: IndexHash| {
            Place::of(index, hash) == place && Entry::new(hash, entry.id) == entry
        };
        if index == Index::Tokens {
            let row: Option<SubscriberRow> = self.named(&SubscriberId::new(entry.id))?;
            let here = row.filter(|row| is_here(hasher.token(row.app.0, row.token.as_str())));
            return Ok(here.map(|row| format!("{} {}", row.app.0, row.token.as_str())));
        }
        let Ok(id) = ContactId::new(entry.id) else {
            return Ok(None);
        };
        let Some(card) = self.named::<CardRow>(&id)? else {
            return Ok(None);
        };
        let of = &card.identifiers;
        if !identifier_hash(hasher, index, of).is_some_and(is_here) {
            return Ok(None);
        }
        Ok(match index {
            Index::ExternalIds => of.external_customer_id().map(|id| id.as_str().to_owned()),
            Index::Phones => of.phone().map(|phone| phone.digits()),
            _ => of.email().map(|email| email.as_str().to_owned()),
        })
    }

    /// Every bucket is one that look-ups read, and its entries are in order and in the right bucket.
    fn buckets(&mut self) -> Result<(), Failure> {
        const HERE: Table = Table::Index;
        let current = self.state.layout;
        let decode = |key: &Key, bytes: &[u8]| {
            let key_number = u64::from_key(key)?;
            let place = layout::of_key(key_number).map(|(_, place)| place);
            let place = place.ok_or(Failure::Corrupt("a bucket of no index"))?;
            let mut entries = Vec::new();
            record::open(HERE, key, bytes, |payload| {
                bucket::decode(place.index(), payload, &mut entries)
            })?;
            Ok((place, entries))
        };
        self.each(HERE, span(HERE), decode, |check, key, (place, entries)| {
            let key = u64::from_key(key)?;
            let right = entries
                .iter()
                .all(|entry| current.bucket(place, entry.short) == Some(key));
            check.demand(
                right,
                HERE,
                Some(key),
                "the bucket is not where look-ups read it",
            );
            check.demand(!entries.is_empty(), HERE, Some(key), "the bucket is empty");
            Ok(())
        })
    }

    fn former_ids(&mut self) -> Result<(), Failure> {
        self.each_row::<FormerIdRow>(|check, former, row| {
            let tally: Option<AppTallyRow> = check.named(&row.now.app())?;
            let right = former.app() == AppNumber(0)
                && tally.is_some_and(|tally| row.now.number() <= tally.subscriber_ids);
            check.demand(
                right,
                Table::FormerIds,
                Some(former.value()),
                "the former id leads to an id that was not given out",
            );
            Ok(())
        })
    }

    fn apps(&mut self) -> Result<(), Failure> {
        let mut connected: BTreeMap<AppNumber, AppId> = BTreeMap::new();
        self.each_row::<AppRow>(|check, id, app| {
            let row = Some(app.number.0);
            check.demand(
                connected.insert(app.number, id).is_none(),
                Table::Apps,
                row,
                "two apps have one number",
            );
            check.demand(
                check.committed.directory().app(app.number) == Some(id),
                Table::Apps,
                row,
                "the app is not in the directory",
            );
            Ok(())
        })?;
        let mut tallied = BTreeSet::new();
        let tallies = (AppNumber(0).to_key(), Key::Int(u64::MAX));
        let decode = record::decode_row::<AppTallyRow>;
        self.each(Table::Meta, tallies, decode, |check, _, (number, tally)| {
            const HERE: Table = Table::Meta;
            let row = Some(number.0);
            tallied.insert(number);
            let of_app = connected.get(&number).copied();
            check.demand(
                (tally.phase == AppPhase::Connected) == of_app.is_some(),
                HERE,
                row,
                "connected or not, the apps say otherwise",
            );
            check.demand(
                of_app.is_none_or(|app| app == tally.app),
                HERE,
                row,
                "the tally is of another app",
            );
            check.demand(
                number.0 < check.committed.state().next_app,
                HERE,
                row,
                "the number was not given out yet",
            );
            let there = check.seen.of_app.remove(&number).unwrap_or_default();
            check.demand(
                tally.contacts == there.contacts,
                HERE,
                row,
                "the contacts are miscounted",
            );
            check.demand(
                tally.subscribers == there.subscribers,
                HERE,
                row,
                "the subscribers are miscounted",
            );
            check.demand(
                there.last_number <= tally.subscriber_ids,
                HERE,
                row,
                "a subscriber id was not given out yet",
            );
            let nothing_left = (there.contacts, there.subscribers) == (0, 0);
            check.demand(
                tally.phase != AppPhase::Gone || nothing_left,
                HERE,
                row,
                "the app is gone, and tokens of it are left",
            );
            Ok(())
        })?;
        for number in connected.keys().filter(|number| !tallied.contains(number)) {
            self.problem(Table::Apps, Some(number.0), "the app has no tally");
        }
        for number in std::mem::take(&mut self.seen.of_app).into_keys() {
            let what = "tokens are of an app that has no tally";
            self.problem(Table::Meta, Some(number.0), what);
        }
        for number in std::mem::take(&mut self.seen.created_through) {
            let what = "contacts were created through an app that has no tally";
            self.demand(tallied.contains(&number), Table::Meta, Some(number.0), what);
        }
        Ok(())
    }

    fn messages(&mut self) -> Result<(), Failure> {
        self.each_row::<MessageRow>(|check, MessageKey { app, .. }, _| {
            let tally: Option<AppTallyRow> = check.named(&app)?;
            check.demand(
                tally.is_some(),
                Table::Messages,
                None,
                "the message is of an app that there is not",
            );
            Ok(())
        })
    }

    fn taken_ids(&mut self) -> Result<(), Failure> {
        let state = self.committed.state();
        let mut taken = state.next_contact.saturating_sub(1);
        let mut end = None;
        self.each_row::<TakenRow>(|check, first, run| {
            let row = Some(first);
            check.demand(
                first >= state.next_contact,
                Table::TakenIds,
                row,
                "the run is below the counter",
            );
            check.demand(
                run.last >= first,
                Table::TakenIds,
                row,
                "the run ends before it begins",
            );
            let apart = end.is_none_or(|end: u64| first > end.saturating_add(1));
            check.demand(
                apart,
                Table::TakenIds,
                row,
                "the run touches the one before it",
            );
            end = Some(run.last);
            taken = taken.saturating_add(run.last.saturating_sub(first).saturating_add(1));
            Ok(())
        })?;
        let known = state.contacts.saturating_add(state.erased);
        self.demand(
            taken == known,
            Table::TakenIds,
            None,
            "not as many ids are taken as there are and were contacts",
        );
        Ok(())
    }

    fn counters(&mut self) {
        let state = self.committed.state();
        self.demand(
            state.contacts == self.seen.contacts,
            Table::Meta,
            None,
            "the contacts are miscounted",
        );
    }
}

fn absent_if_corrupt<T>(row: Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    match row {
        Err(Failure::Corrupt(_)) => Ok(None),
        row => row,
    }
}
