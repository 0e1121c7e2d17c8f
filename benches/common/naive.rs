//! What one writes first on redb: a table for each kind of identifier with the text as its key,
//! tables opened in each transaction, rows written as the entries come.
//!
//! It does no more than it must: text is taken as it comes, nothing is checked or canonical, records
//! have no checksum, and there is no listing by app and no look-up by subscriber id. Each request is
//! a commit, as durable as the store's.

use std::path::Path;

use bincode::config::standard;
use bincode::{Decode, Encode};
use redb::{Database, ReadableTable, TableDefinition};

use super::people::Person;

type Ids = TableDefinition<'static, &'static str, u64>;
const EXTERNAL_IDS: Ids = TableDefinition::new("external_ids");
const PHONES: Ids = TableDefinition::new("phones");
const EMAILS: Ids = TableDefinition::new("emails");
const CONTACTS: TableDefinition<u64, &[u8]> = TableDefinition::new("contacts");
/// By app and token.
const SUBSCRIBERS: TableDefinition<&str, &[u8]> = TableDefinition::new("subscribers");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

#[derive(Encode, Decode)]
struct Card {
    external_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    created_at: u64,
    tokens: Vec<HeldToken>,
}

#[derive(Encode, Decode)]
struct HeldToken {
    app: String,
    token: String,
    subscriber: u64,
    added_at: u64,
}

#[derive(Encode, Decode)]
struct Subscriber {
    id: u64,
    contacts: Vec<u64>,
    last_registered_at: u64,
    last_status: Option<(u8, u64)>,
    sent: u64,
    failed: u64,
    clicked: u64,
}

/// One entry of a request.
pub struct Entry {
    pub token: String,
    pub external_id: String,
    pub phone: String,
    pub email: String,
}

impl From<Person> for Entry {
    fn from(person: Person) -> Self {
        Entry {
            token: person.token(),
            external_id: person.external_id(),
            phone: person.phone(),
            email: person.email(),
        }
    }
}

fn encode(record: impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(record, standard()).unwrap()
}

fn decode<T: Decode<()>>(bytes: &[u8]) -> T {
    bincode::decode_from_slice(bytes, standard()).unwrap().0
}

pub struct NaiveStore(Database);

impl NaiveStore {
    pub fn create(path: &Path, cache_bytes: usize) -> Self {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .create(path)
            .unwrap();
        NaiveStore(database)
    }

    /// Adds the tokens of a request: to the contact that has the external id, or else the phone, or
    /// else the email, or else to a new one.
    pub fn add(&self, app: &str, entries: &[Entry], now: u64) {
        let mut transaction = self.0.begin_write().unwrap();
        transaction.set_two_phase_commit(true);
        {
            let mut external_ids = transaction.open_table(EXTERNAL_IDS).unwrap();
            let mut phones = transaction.open_table(PHONES).unwrap();
            let mut emails = transaction.open_table(EMAILS).unwrap();
            let mut contacts = transaction.open_table(CONTACTS).unwrap();
            let mut subscribers = transaction.open_table(SUBSCRIBERS).unwrap();
            let mut counters = transaction.open_table(COUNTERS).unwrap();
            let mut next = |name: &str| {
                let next = 1 + counters.get(name).unwrap().map_or(0, |last| last.value());
                counters.insert(name, next).unwrap();
                next
            };
            for entry in entries {
                let mut owner = external_ids.get(&*entry.external_id).unwrap();
                if owner.is_none() {
                    owner = phones.get(&*entry.phone).unwrap();
                }
                if owner.is_none() {
                    owner = emails.get(&*entry.email).unwrap();
                }
                let owner = owner.map(|id| id.value());
                let (contact, mut card) = match owner {
                    Some(id) => {
                        let card = contacts.get(id).unwrap().unwrap();
                        (id, decode::<Card>(card.value()))
                    }
                    None => {
                        let id = next("contact");
                        external_ids.insert(&*entry.external_id, id).unwrap();
                        phones.insert(&*entry.phone, id).unwrap();
                        emails.insert(&*entry.email, id).unwrap();
                        let card = Card {
                            external_id: Some(entry.external_id.clone()),
                            phone: Some(entry.phone.clone()),
                            email: Some(entry.email.clone()),
                            created_at: now,
                            tokens: Vec::new(),
                        };
                        (id, card)
                    }
                };

                let key = format!("{app}/{}", entry.token);
                let known = subscribers.get(&*key).unwrap();
                let known = known.map(|row| decode::<Subscriber>(row.value()));
                let mut subscriber = known.unwrap_or_else(|| Subscriber {
                    id: next("subscriber"),
                    contacts: Vec::new(),
                    last_registered_at: now,
                    last_status: None,
                    sent: 0,
                    failed: 0,
                    clicked: 0,
                });
                subscriber.last_registered_at = now;
                if !subscriber.contacts.contains(&contact) {
                    subscriber.contacts.push(contact);
                    card.tokens.push(HeldToken {
                        app: app.to_owned(),
                        token: entry.token.clone(),
                        subscriber: subscriber.id,
                        added_at: now,
                    });
                    contacts.insert(contact, &*encode(card)).unwrap();
                }
                subscribers.insert(&*key, &*encode(subscriber)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    /// The external id, phone and token on the card that has this email.
    pub fn find_by_email(&self, email: &str) -> Option<(String, String, String)> {
        use redb::ReadableDatabase as _;
        let reading = self.0.begin_read().unwrap();
        let emails = reading.open_table(EMAILS).unwrap();
        let contacts = reading.open_table(CONTACTS).unwrap();
        let id = emails.get(email).unwrap()?.value();
        let card: Card = decode(contacts.get(id).unwrap()?.value());
        let token = card.tokens.into_iter().next()?.token;
        Some((card.external_id?, card.phone?, token))
    }
}
