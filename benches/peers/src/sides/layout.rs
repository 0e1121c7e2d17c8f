//! What every key-value peer keeps, and how a request changes it: written once, so that all do the
//! same work.
//!
//! It does not know the engine beneath.

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::people::{Entry, Given, Known};

/// The tables, each with its keys and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// External id to contact id.
    ExternalIds,
    /// Phone to contact id.
    Phones,
    /// Email to contact id.
    Emails,
    /// App and token to subscriber id.
    Tokens,
    /// Contact id to [`Card`].
    Contacts,
    /// App and subscriber id to [`Subscriber`]: one range for each app, in the order of the ids.
    Subscribers,
    /// Ids given out, and an app's [`Tally`].
    Counters,
}

impl Table {
    pub const ALL: [Table; 7] = [
        Table::ExternalIds,
        Table::Phones,
        Table::Emails,
        Table::Tokens,
        Table::Contacts,
        Table::Subscribers,
        Table::Counters,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Table::ExternalIds => "external_ids",
            Table::Phones => "phones",
            Table::Emails => "emails",
            Table::Tokens => "tokens",
            Table::Contacts => "contacts",
            Table::Subscribers => "subscribers",
            Table::Counters => "counters",
        }
    }
}

/// The number of the app, by which a peer would save writing out its UUID in every row.
const APP: u32 = 1;
const IDS: &[u8] = b"ids";
const TALLY: &[u8] = b"tally";

#[derive(Serialize, Deserialize)]
pub struct Card {
    external_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    created_at: u64,
    created_through: Option<u32>,
    tokens: Vec<HeldToken>,
}

#[derive(Serialize, Deserialize)]
struct HeldToken {
    app: u32,
    token: String,
    subscriber: u64,
    added_at: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Subscriber {
    token: String,
    contacts: Vec<u64>,
    last_registered_at: u64,
    last_status: Option<(u8, u64)>,
    sent: u64,
    failed: u64,
    clicked: u64,
}

/// The last ids given out.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Ids {
    pub contact: u64,
    pub subscriber: u64,
}

/// What is counted of an app, or how that changes.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Tally {
    pub subscribers: i64,
    pub contacts: i64,
    pub removed_by_failed: i64,
}

impl Tally {
    pub fn add(&mut self, change: Tally) {
        self.subscribers += change.subscribers;
        self.contacts += change.contacts;
        self.removed_by_failed += change.removed_by_failed;
    }
}

/// Reads rows.
pub trait Get {
    fn get<T>(&self, table: Table, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T>;
}

/// Reads and writes the rows of one transaction, which sees its own writes.
pub trait Rows: Get {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]);

    /// Puts a row whose key is larger than most others.
    fn append(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.put(table, key, value);
    }

    fn remove(&mut self, table: Table, key: &[u8]);

    fn next_contact(&mut self) -> u64;

    fn next_subscriber(&mut self) -> u64;

    fn count(&mut self, change: Tally);
}

/// The counters of a transaction, read at its beginning and written at its end.
#[derive(Clone, Copy)]
pub struct Counters {
    pub ids: Ids,
    pub tally: Tally,
}

impl Counters {
    pub fn load(rows: &impl Get) -> Self {
        Counters {
            ids: ids(rows),
            tally: tally(rows),
        }
    }

    pub fn save(self, rows: &mut impl Rows) {
        rows.put(Table::Counters, IDS, &encode(&self.ids));
        rows.put(Table::Counters, TALLY, &encode(&self.tally));
    }

    pub fn next_contact(&mut self) -> u64 {
        self.ids.contact += 1;
        self.ids.contact
    }

    pub fn next_subscriber(&mut self) -> u64 {
        self.ids.subscriber += 1;
        self.ids.subscriber
    }
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(record).unwrap()
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> T {
    postcard::from_bytes(bytes).unwrap()
}

fn encode_id(id: u64) -> [u8; 8] {
    id.to_be_bytes()
}

fn decode_id(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn token_key(token: &str) -> Vec<u8> {
    [&APP.to_be_bytes()[..], token.as_bytes()].concat()
}

pub fn subscriber_key(id: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&APP.to_be_bytes());
    key[4..].copy_from_slice(&encode_id(id));
    key
}

/// The contact that the first of these names that names one.
fn owner(rows: &impl Get, given: [(Table, Option<&String>); 3]) -> Option<u64> {
    given
        .into_iter()
        .find_map(|(table, text)| rows.get(table, text?.as_bytes(), decode_id))
}

/// The card of a contact.
pub fn contact(rows: &impl Get, id: u64) -> Option<Card> {
    rows.get(Table::Contacts, &encode_id(id), |bytes| decode(bytes))
}

/// The card that these identifiers lead to, with its contact's id.
pub fn find(rows: &impl Get, given: &Given) -> Option<(u64, Card)> {
    let id = owner(
        rows,
        [
            (Table::ExternalIds, given.external_id.as_ref()),
            (Table::Phones, given.phone.as_ref()),
            (Table::Emails, given.email.as_ref()),
        ],
    )?;
    Some((id, contact(rows, id)?))
}

/// The subscriber that a token is, with its id.
pub fn subscriber(rows: &impl Get, token: &str) -> Option<(u64, Subscriber)> {
    let id = rows.get(Table::Tokens, &token_key(token), decode_id)?;
    let subscriber = rows.get(Table::Subscribers, &subscriber_key(id), |row| decode(row));
    Some((id, subscriber?))
}

/// The keys between which the subscribers of the app after this one stand: the first is left out,
/// the last is not.
pub fn subscribers_after(after: Option<u64>) -> ([u8; 12], [u8; 12]) {
    (subscriber_key(after.unwrap_or(0)), subscriber_key(u64::MAX))
}

/// One row of a listing.
pub fn listed(key: &[u8], value: &[u8]) -> (u64, Subscriber) {
    (decode_id(&key[4..]), decode(value))
}

/// Shows a page that was read.
pub fn show(page: Vec<(u64, Subscriber)>, see: &mut dyn FnMut(u64, &str)) {
    for (id, subscriber) in std::hint::black_box(page) {
        see(id, &subscriber.token);
    }
}

/// The last ids given out.
pub fn ids(rows: &impl Get) -> Ids {
    rows.get(Table::Counters, IDS, |row| decode(row))
        .unwrap_or_default()
}

/// The rows to merge into the counters, for an engine whose requests change them side by side.
#[cfg(feature = "rocksdb")]
pub fn merged(ids: Ids, tally: Tally) -> [(&'static [u8], Vec<u8>); 2] {
    [(IDS, encode(&ids)), (TALLY, encode(&tally))]
}

/// What is in such a row after these changes: the largest ids, the sum of the tallies.
#[cfg(feature = "rocksdb")]
pub fn merge<'a>(key: &[u8], changes: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    if key == IDS {
        let ids = changes
            .map(decode)
            .fold(Ids::default(), |one, other: Ids| Ids {
                contact: one.contact.max(other.contact),
                subscriber: one.subscriber.max(other.subscriber),
            });
        return Some(encode(&ids));
    }
    let mut sum = Tally::default();
    changes.for_each(|change| sum.add(decode(change)));
    Some(encode(&sum))
}

fn tally(rows: &impl Get) -> Tally {
    rows.get(Table::Counters, TALLY, |row| decode(row))
        .unwrap_or_default()
}

pub fn counts(rows: &impl Get) -> Counts {
    let tally = tally(rows);
    Counts {
        subscribers: tally.subscribers.try_into().unwrap(),
        contacts: tally.contacts.try_into().unwrap(),
        removed_by_failed: tally.removed_by_failed.try_into().unwrap(),
    }
}

pub fn known(card: Card) -> Known {
    Known {
        external_id: card.external_id,
        phone: card.phone,
        email: card.email,
        tokens: card.tokens.into_iter().map(|held| held.token).collect(),
    }
}

/// A request to add tokens.
pub fn add(rows: &mut impl Rows, entries: &[Entry], now: u64) {
    let mut change = Tally::default();
    for entry in entries {
        let owner = owner(
            rows,
            [
                (Table::ExternalIds, Some(&entry.external_id)),
                (Table::Phones, Some(&entry.phone)),
                (Table::Emails, Some(&entry.email)),
            ],
        );
        let (id, mut card) = match owner {
            Some(id) => (id, contact(rows, id).unwrap()),
            None => create(rows, entry, now),
        };
        let known = subscriber(rows, &entry.token);
        let is_new = known.is_none();
        let (number, mut subscriber) = known.unwrap_or_else(|| {
            let number = rows.next_subscriber();
            rows.put(Table::Tokens, &token_key(&entry.token), &encode_id(number));
            change.subscribers += 1;
            (number, Subscriber::new(&entry.token))
        });
        subscriber.last_registered_at = now;
        if !subscriber.contacts.contains(&id) {
            subscriber.contacts.push(id);
            if !card.is_reached() {
                change.contacts += 1;
            }
            card.tokens.push(HeldToken {
                app: APP,
                token: entry.token.clone(),
                subscriber: number,
                added_at: now,
            });
            put(
                rows,
                owner.is_none(),
                Table::Contacts,
                &encode_id(id),
                &card,
            );
        }
        let key = subscriber_key(number);
        put(rows, is_new, Table::Subscribers, &key, &subscriber);
    }
    rows.count(change);
}

fn put(rows: &mut impl Rows, is_new: bool, table: Table, key: &[u8], record: &impl Serialize) {
    if is_new {
        rows.append(table, key, &encode(record));
    } else {
        rows.put(table, key, &encode(record));
    }
}

/// A contact with the identifiers of an entry, whose card is not written yet.
fn create(rows: &mut impl Rows, entry: &Entry, now: u64) -> (u64, Card) {
    let id = rows.next_contact();
    let value = encode_id(id);
    rows.put(Table::ExternalIds, entry.external_id.as_bytes(), &value);
    rows.put(Table::Phones, entry.phone.as_bytes(), &value);
    rows.put(Table::Emails, entry.email.as_bytes(), &value);
    let card = Card {
        external_id: Some(entry.external_id.clone()),
        phone: Some(entry.phone.clone()),
        email: Some(entry.email.clone()),
        created_at: now,
        created_through: Some(APP),
        tokens: Vec::new(),
    };
    (id, card)
}

impl Subscriber {
    fn new(token: &str) -> Self {
        Subscriber {
            token: token.to_owned(),
            contacts: Vec::new(),
            last_registered_at: 0,
            last_status: None,
            sent: 0,
            failed: 0,
            clicked: 0,
        }
    }
}

impl Card {
    /// Whether it holds a token of the app.
    fn is_reached(&self) -> bool {
        self.tokens.iter().any(|held| held.app == APP)
    }
}

/// A request of FAILED reports that remove tokens. Answers how many.
pub fn failed(rows: &mut impl Rows, tokens: &[String]) -> usize {
    let mut change = Tally::default();
    for token in tokens {
        let Some((number, subscriber)) = subscriber(rows, token) else {
            continue;
        };
        for id in subscriber.contacts {
            let mut card = contact(rows, id).unwrap();
            card.tokens.retain(|held| held.subscriber != number);
            if !card.is_reached() {
                change.contacts -= 1;
            }
            rows.put(Table::Contacts, &encode_id(id), &encode(&card));
        }
        rows.remove(Table::Tokens, &token_key(token));
        rows.remove(Table::Subscribers, &subscriber_key(number));
        change.subscribers -= 1;
        change.removed_by_failed += 1;
    }
    rows.count(change);
    change.removed_by_failed.try_into().unwrap()
}
