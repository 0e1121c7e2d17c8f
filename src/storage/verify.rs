//! Proving a snapshot: every row against every other that must agree with it, both ways.
//!
//! Reads nothing but one snapshot, so it runs while others write. It does not repair, and it does
//! not look at pages: those are verified at opening.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{AppId, AppNumber};
use crate::identifier::{ContactId, Email, ExternalId, Phone};
use crate::sequence::SequenceNumber;
use crate::subscriber::SubscriberId;

use super::guard::Failure;
use super::record;
use super::rows::{
    AppRow, AppTallyRow, CardRow, Index, ListedRow, MessageKey, MessageRow, Row, RowKey, Rows,
    SubscriberRow, TakenRow,
};
use super::snapshot::Snapshot;
use super::tables::{Key, Table};

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

/// Verifies a snapshot.
///
/// Damage that is found is a problem in the list; an error means that it could not be read at all.
pub(crate) fn verify(snapshot: &Snapshot) -> Result<Verified, Failure> {
    let mut check = Check {
        snapshot,
        seen: Seen::default(),
        found: Verified {
            sequence: snapshot.state().sequence,
            rows: 0,
            problems: Vec::new(),
            problem_count: 0,
        },
    };
    check.contacts()?;
    check.identifier_index(Index::ExternalIds, |card, key| {
        let id = card.identifiers.external_customer_id();
        id.filter(|id| snapshot.hasher().external_id(id.as_str()) == key)
            .map(|id| id.as_str().to_owned())
    })?;
    check.identifier_index(Index::Phones, |card, key| {
        card.identifiers
            .phone()
            .filter(|phone| phone.as_u64() == key)
            .map(|phone| phone.digits())
    })?;
    check.identifier_index(Index::Emails, |card, key| {
        let email = card.identifiers.email();
        email
            .filter(|email| snapshot.hasher().email(email.as_str()) == key)
            .map(|email| email.as_str().to_owned())
    })?;
    check.subscribers()?;
    check.token_index()?;
    check.listing()?;
    check.apps()?;
    check.messages()?;
    check.taken_ids()?;
    check.counters();
    Ok(check.found)
}

/// What was counted on the way.
#[derive(Default)]
struct Seen {
    contacts: u64,
    last_subscriber: u64,
    /// Contacts with a token, and subscribers, of each app.
    of_app: BTreeMap<AppNumber, (u64, u64)>,
}

struct Check<'s> {
    snapshot: &'s Snapshot,
    seen: Seen,
    found: Verified,
}

/// Every key of a table, in the type of its keys.
fn span(table: Table) -> (Key, Key) {
    match table {
        Table::Apps | Table::AppSubscribers => (Key::Wide(0), Key::Wide(u128::MAX)),
        // A message id is at most 256 bytes of UTF-8, which has no byte 255.
        Table::Messages => (
            Key::Bytes(Box::default()),
            Key::Bytes(vec![u8::MAX; 9].into()),
        ),
        _ => (Key::Int(0), Key::Int(u64::MAX)),
    }
}

/// How a key is named in a problem.
fn shown(table: Table, key: &Key) -> Option<u64> {
    match (table, key) {
        // The key of `phones` is the phone.
        (Table::Phones, _) => None,
        (_, Key::Int(key)) => Some(*key),
        (Table::AppSubscribers, key) => <(AppNumber, SubscriberId)>::from_key(key)
            .ok()
            .map(|(_, subscriber)| subscriber.value()),
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
        absent_if_corrupt(self.snapshot.row(key))
    }

    /// Hands every row of `table` to `each`, with its decoded form, or reports that it is damaged.
    ///
    /// Rows are fetched in runs, so that `each` may read other tables.
    fn each<T>(
        &mut self,
        table: Table,
        decode: impl Fn(&Key, &[u8]) -> Result<T, Failure>,
        mut each: impl FnMut(&mut Self, &Key, T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const RUN: usize = 512;
        let (mut first, last) = span(table);
        let mut skip_first = false;
        loop {
            let mut run: Vec<(Key, Result<T, &'static str>)> = Vec::with_capacity(RUN);
            self.snapshot
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
                    Err(what) => self.problem(table, shown(table, &key), what),
                }
            }
        }
    }

    fn each_row<R: Row>(
        &mut self,
        mut each: impl FnMut(&mut Self, R::Key, R) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let decode = |key: &Key, bytes: &[u8]| {
            let row = record::open(R::TABLE, key, bytes, R::decode)?;
            Ok((R::Key::from_key(key)?, row))
        };
        self.each(R::TABLE, decode, |check, _, (key, row)| {
            each(check, key, row)
        })
    }

    fn contacts(&mut self) -> Result<(), Failure> {
        self.each_row::<CardRow>(|check, id, card| {
            const HERE: Table = Table::Contacts;
            let row = Some(id.value());
            check.seen.contacts = check.seen.contacts.saturating_add(1);

            let hasher = check.snapshot.hasher();
            let identifiers = &card.identifiers;
            check.demand(
                identifiers.contact_id().is_none(),
                HERE,
                row,
                "the card repeats its id",
            );
            let keys = [
                (
                    Index::ExternalIds,
                    identifiers
                        .external_customer_id()
                        .map(|id| hasher.external_id(id.as_str())),
                ),
                (Index::Phones, identifiers.phone().map(Phone::as_u64)),
                (
                    Index::Emails,
                    identifiers
                        .email()
                        .map(|email| hasher.email(email.as_str())),
                ),
            ];
            for (index, key) in keys {
                if let Some(key) = key {
                    let listed = absent_if_corrupt(check.snapshot.index_row(index, key).map(Some))?;
                    let listed =
                        listed.is_some_and(|index| index.ids().any(|listed| listed == id.value()));
                    check.demand(listed, HERE, row, "an identifier is missing in its index");
                }
            }
            let canonical = identifiers
                .external_customer_id()
                .is_none_or(|id| ExternalId::parse(id.as_str()).as_ref() == Ok(id))
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
                apps.insert(token.app);
                check.demand(
                    held.insert(token.subscriber),
                    HERE,
                    row,
                    "a token is on the card twice",
                );
                let subscriber: Option<SubscriberRow> = check.named(&token.subscriber)?;
                let agrees = subscriber.is_some_and(|subscriber| {
                    subscriber.app == token.app
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
                let counts = check.seen.of_app.entry(app).or_default();
                counts.0 = counts.0.saturating_add(1);
            }
            let taken = check.snapshot.state().passed(id)
                || absent_if_corrupt(super::contact_ids::run_with(check.snapshot, id.value()))?
                    .is_some();
            check.demand(taken, HERE, row, "the id is not among those taken");
            Ok(())
        })
    }

    /// `value_at` gives the value of a card whose index key is the given one.
    fn identifier_index(
        &mut self,
        index: Index,
        value_at: impl Fn(&CardRow, u64) -> Option<String>,
    ) -> Result<(), Failure> {
        let table = index.table();
        let decode =
            |key: &Key, bytes: &[u8]| record::open(table, key, bytes, record::decode_index);
        self.each(table, decode, |check, key, ids| {
            let row = shown(table, key);
            let key = u64::from_key(key)?;
            let mut values = BTreeSet::new();
            check.demand(!ids.is_empty(), table, row, "the row names no contact");
            check.demand(
                ids.ids().is_sorted_by(|a, b| a < b),
                table,
                row,
                "the ids are not in order",
            );
            for id in ids.ids() {
                let card = match ContactId::new(id) {
                    Ok(id) => check.named::<CardRow>(&id)?,
                    Err(_) => None,
                };
                match card.and_then(|card| value_at(&card, key)) {
                    Some(value) => check.demand(
                        values.insert(value),
                        table,
                        row,
                        "two contacts have the same value",
                    ),
                    None => {
                        check.problem(table, row, "the row names a contact without such a value")
                    }
                }
            }
            Ok(())
        })
    }

    fn subscribers(&mut self) -> Result<(), Failure> {
        self.each_row::<SubscriberRow>(|check, id, subscriber| {
            const HERE: Table = Table::Subscribers;
            let row = Some(id.value());
            check.seen.last_subscriber = id.value();
            let counts = check.seen.of_app.entry(subscriber.app).or_default();
            counts.1 = counts.1.saturating_add(1);

            let key = check
                .snapshot
                .hasher()
                .token(subscriber.app.0, subscriber.token.as_str());
            let listed = absent_if_corrupt(check.snapshot.index_row(Index::Tokens, key).map(Some))?;
            let listed = listed.is_some_and(|index| index.ids().any(|listed| listed == id.value()));
            check.demand(listed, HERE, row, "the token is missing in its index");
            let listed: Option<ListedRow> = check.named(&(subscriber.app, id))?;
            check.demand(
                listed.is_some(),
                HERE,
                row,
                "the subscriber is missing in its app's listing",
            );

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

    fn token_index(&mut self) -> Result<(), Failure> {
        const HERE: Table = Table::Tokens;
        let decode = |key: &Key, bytes: &[u8]| record::open(HERE, key, bytes, record::decode_index);
        self.each(HERE, decode, |check, key, ids| {
            let row = shown(HERE, key);
            let key = u64::from_key(key)?;
            let mut values = BTreeSet::new();
            check.demand(!ids.is_empty(), HERE, row, "the row names no subscriber");
            check.demand(
                ids.ids().is_sorted_by(|a, b| a < b),
                HERE,
                row,
                "the ids are not in order",
            );
            for id in ids.ids() {
                let subscriber: Option<SubscriberRow> = check.named(&SubscriberId::new(id))?;
                let hasher = check.snapshot.hasher();
                match subscriber.filter(|it| hasher.token(it.app.0, it.token.as_str()) == key) {
                    Some(it) => {
                        check.demand(
                            values.insert((it.app, it.token)),
                            HERE,
                            row,
                            "two subscribers have the same token",
                        );
                    }
                    None => {
                        check.problem(HERE, row, "the row names a subscriber without such a token")
                    }
                }
            }
            Ok(())
        })
    }

    fn listing(&mut self) -> Result<(), Failure> {
        self.each_row::<ListedRow>(|check, (app, id), _| {
            let subscriber: Option<SubscriberRow> = check.named(&id)?;
            let agrees = subscriber.is_some_and(|subscriber| subscriber.app == app);
            check.demand(
                agrees,
                Table::AppSubscribers,
                Some(id.value()),
                "the listing names no subscriber of the app",
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
                check.snapshot.directory().app(app.number) == Some(id),
                Table::Apps,
                row,
                "the app is not in the directory",
            );
            Ok(())
        })?;
        let mut tallied = BTreeSet::new();
        self.each_row::<AppTallyRow>(|check, number, tally| {
            const HERE: Table = Table::AppTallies;
            let row = Some(number.0);
            tallied.insert(number);
            let of_app = connected.get(&number).copied();
            check.demand(
                tally.connected == of_app.is_some(),
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
                number.0 < check.snapshot.state().next_app,
                HERE,
                row,
                "the number was not given out yet",
            );
            let (contacts, subscribers) = check.seen.of_app.remove(&number).unwrap_or_default();
            check.demand(
                tally.contacts == contacts,
                HERE,
                row,
                "the contacts are miscounted",
            );
            check.demand(
                tally.subscribers == subscribers,
                HERE,
                row,
                "the subscribers are miscounted",
            );
            Ok(())
        })?;
        for number in connected.keys().filter(|number| !tallied.contains(number)) {
            self.problem(Table::Apps, Some(number.0), "the app has no tally");
        }
        for number in std::mem::take(&mut self.seen.of_app).into_keys() {
            self.problem(
                Table::AppTallies,
                Some(number.0),
                "tokens are of an app that has no tally",
            );
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
        let state = self.snapshot.state();
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
        let state = self.snapshot.state();
        self.demand(
            state.contacts == self.seen.contacts,
            Table::Meta,
            None,
            "the contacts are miscounted",
        );
        let past = self.seen.last_subscriber < state.next_subscriber;
        self.demand(
            past,
            Table::Meta,
            None,
            "a subscriber id was not given out yet",
        );
    }
}

fn absent_if_corrupt<T>(row: Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    match row {
        Err(Failure::Corrupt(_)) => Ok(None),
        row => row,
    }
}
