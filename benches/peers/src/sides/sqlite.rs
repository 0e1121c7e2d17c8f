//! SQLite: two tables and their unique indexes, WAL with `synchronous=FULL`, prepared statements,
//! one connection that writes and one for each reading thread.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

/// What is many on a card, or of a subscriber, is packed into a column: a table between the two costs
/// SQLite another look-up a find and more bytes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS contacts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        external_id TEXT UNIQUE,
        phone TEXT UNIQUE,
        email TEXT UNIQUE,
        created_at INTEGER NOT NULL,
        created_through INTEGER,
        tokens BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS subscribers (
        app INTEGER NOT NULL,
        id INTEGER NOT NULL,
        token TEXT NOT NULL,
        contacts BLOB NOT NULL,
        last_registered_at INTEGER NOT NULL,
        last_status INTEGER,
        last_status_at INTEGER,
        sent INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        clicked INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (app, id),
        UNIQUE (app, token)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS apps (
        id INTEGER PRIMARY KEY,
        last_subscriber INTEGER NOT NULL DEFAULT 0,
        subscribers INTEGER NOT NULL DEFAULT 0,
        contacts INTEGER NOT NULL DEFAULT 0,
        removed_by_failed INTEGER NOT NULL DEFAULT 0
    );
    INSERT OR IGNORE INTO apps (id) VALUES (1);
";

const APP: u32 = 1;

const OWNER: [&str; 3] = [
    "SELECT id, tokens FROM contacts WHERE external_id = ?1",
    "SELECT id, tokens FROM contacts WHERE phone = ?1",
    "SELECT id, tokens FROM contacts WHERE email = ?1",
];

#[derive(Serialize, Deserialize)]
struct HeldToken {
    app: u32,
    token: String,
    subscriber: u64,
    added_at: u64,
}

pub struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    pub fn open(directory: &Path) -> Self {
        let path = directory.join("contacts.sqlite");
        let writer = connect(&path);
        writer.execute_batch(SCHEMA).unwrap();
        Sqlite {
            path,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        }
    }

    /// One transaction, durable at the end.
    fn write<T>(&self, work: impl FnOnce(&Transaction) -> T) -> T {
        let mut connection = self.writer.lock().unwrap();
        let kind = rusqlite::TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(kind).unwrap();
        let done = work(&transaction);
        transaction.commit().unwrap();
        done
    }
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.set_prepared_statement_cache_capacity(32);
    let kibibytes = super::CACHE_BYTES >> 10;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -{kibibytes};
             PRAGMA mmap_size = {};
             PRAGMA wal_autocheckpoint = 16384;
             PRAGMA temp_store = MEMORY;",
            64_u64 << 30,
        ))
        .unwrap();
    connection
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(record).unwrap()
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> T {
    postcard::from_bytes(bytes).unwrap()
}

/// How the counts of the app change in a request.
#[derive(Default)]
struct Change {
    subscribers: i64,
    contacts: i64,
    removed_by_failed: i64,
}

impl Change {
    fn save(&self, transaction: &Transaction, last_subscriber: Option<u64>) {
        transaction
            .prepare_cached(
                "UPDATE apps SET subscribers = subscribers + ?1, contacts = contacts + ?2,
                 removed_by_failed = removed_by_failed + ?3,
                 last_subscriber = coalesce(?4, last_subscriber) WHERE id = ?5",
            )
            .unwrap()
            .execute(params![
                self.subscribers,
                self.contacts,
                self.removed_by_failed,
                last_subscriber,
                APP
            ])
            .unwrap();
    }
}

fn add(transaction: &Transaction, entries: &[Entry], now: u64) {
    let prepare = |sql| transaction.prepare_cached(sql).unwrap();
    let mut owner_by = OWNER.map(prepare);
    let mut create = prepare(
        "INSERT INTO contacts (external_id, phone, email, created_at, created_through, tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    );
    let mut update = prepare("UPDATE contacts SET tokens = ?2 WHERE id = ?1");
    let mut find_subscriber =
        prepare("SELECT id, contacts FROM subscribers WHERE app = ?1 AND token = ?2");
    let mut create_subscriber = prepare(
        "INSERT INTO subscribers (app, id, token, contacts, last_registered_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    );
    let mut update_subscriber = prepare(
        "UPDATE subscribers SET contacts = ?3, last_registered_at = ?4
         WHERE app = ?1 AND id = ?2",
    );
    let mut last_subscriber: u64 = prepare("SELECT last_subscriber FROM apps WHERE id = ?1")
        .query_row([APP], |row| row.get(0))
        .unwrap();
    let mut change = Change::default();
    for entry in entries {
        let texts = [&entry.external_id, &entry.phone, &entry.email];
        let owner = owner_by.iter_mut().zip(texts).find_map(|(by, text)| {
            by.query_row([text], |row| {
                let tokens: Vec<HeldToken> = decode(row.get_ref(1)?.as_blob()?);
                Ok((row.get::<_, u64>(0)?, tokens))
            })
            .optional()
            .unwrap()
        });
        let known = find_subscriber
            .query_row(params![APP, entry.token], |row| {
                let holders: Vec<u64> = decode(row.get_ref(1)?.as_blob()?);
                Ok((row.get::<_, u64>(0)?, holders))
            })
            .optional()
            .unwrap();
        let is_new = known.is_none();
        let (subscriber, mut holders) = known.unwrap_or_else(|| {
            last_subscriber += 1;
            change.subscribers += 1;
            (last_subscriber, Vec::new())
        });
        let held = HeldToken {
            app: APP,
            token: entry.token.clone(),
            subscriber,
            added_at: now,
        };
        match owner {
            Some((contact, _)) if holders.contains(&contact) => {}
            Some((contact, mut tokens)) => {
                if !tokens.iter().any(|held| held.app == APP) {
                    change.contacts += 1;
                }
                tokens.push(held);
                update.execute(params![contact, encode(&tokens)]).unwrap();
                holders.push(contact);
            }
            None => {
                change.contacts += 1;
                let contact = create.insert(params![
                    entry.external_id,
                    entry.phone,
                    entry.email,
                    now,
                    APP,
                    encode(&vec![held])
                ]);
                holders.push(contact.unwrap().try_into().unwrap());
            }
        }
        let holders = encode(&holders);
        if is_new {
            create_subscriber
                .execute(params![APP, subscriber, entry.token, holders, now])
                .unwrap();
        } else {
            update_subscriber
                .execute(params![APP, subscriber, holders, now])
                .unwrap();
        }
    }
    change.save(transaction, Some(last_subscriber));
}

fn failed(transaction: &Transaction, tokens: &[String]) -> usize {
    let prepare = |sql| transaction.prepare_cached(sql).unwrap();
    let mut remove =
        prepare("DELETE FROM subscribers WHERE app = ?1 AND token = ?2 RETURNING id, contacts");
    let mut tokens_of = prepare("SELECT tokens FROM contacts WHERE id = ?1");
    let mut update = prepare("UPDATE contacts SET tokens = ?2 WHERE id = ?1");
    let mut change = Change::default();
    for token in tokens {
        let removed = remove
            .query_row(params![APP, token], |row| {
                let holders: Vec<u64> = decode(row.get_ref(1)?.as_blob()?);
                Ok((row.get::<_, u64>(0)?, holders))
            })
            .optional()
            .unwrap();
        let Some((subscriber, holders)) = removed else {
            continue;
        };
        for contact in holders {
            let mut tokens: Vec<HeldToken> = tokens_of
                .query_row([contact], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))
                .unwrap();
            tokens.retain(|held| held.subscriber != subscriber);
            if !tokens.iter().any(|held| held.app == APP) {
                change.contacts -= 1;
            }
            update.execute(params![contact, encode(&tokens)]).unwrap();
        }
        change.subscribers -= 1;
        change.removed_by_failed += 1;
    }
    change.save(transaction, None);
    change.removed_by_failed.try_into().unwrap()
}

impl Side for Sqlite {
    fn add(&self, entries: Vec<Entry>) {
        let now = super::now();
        self.write(|transaction| add(transaction, &entries, now));
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        self.write(|transaction| failed(transaction, &tokens))
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        let pooled = self.readers.lock().unwrap().pop();
        let connection = pooled.unwrap_or_else(|| connect(&self.path));
        work(&mut SqliteReader::new(&connection));
        self.readers.lock().unwrap().push(connection);
    }

    fn close(self: Box<Self>) {
        for reader in self.readers.into_inner().unwrap() {
            reader.close().unwrap();
        }
        // The last connection moves the log into the database and removes it.
        self.writer.into_inner().unwrap().close().unwrap();
    }
}

struct SqliteReader<'a> {
    find_by: [CachedStatement<'a>; 3],
    contact: CachedStatement<'a>,
    subscriber: CachedStatement<'a>,
    page: CachedStatement<'a>,
    counts: CachedStatement<'a>,
    /// A find of several kinds is one state only inside a transaction.
    begin: CachedStatement<'a>,
    end: CachedStatement<'a>,
}

const FIND_BY: [&str; 3] = [
    "SELECT id, external_id, phone, email, created_at, created_through, tokens FROM contacts
     WHERE external_id = ?1",
    "SELECT id, external_id, phone, email, created_at, created_through, tokens FROM contacts
     WHERE phone = ?1",
    "SELECT id, external_id, phone, email, created_at, created_through, tokens FROM contacts
     WHERE email = ?1",
];

struct Card {
    id: u64,
    external_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    #[expect(dead_code, reason = "a card is read whole")]
    created: (u64, Option<u32>),
    tokens: Vec<HeldToken>,
}

fn card(row: &rusqlite::Row) -> rusqlite::Result<Card> {
    Ok(Card {
        id: row.get(0)?,
        external_id: row.get(1)?,
        phone: row.get(2)?,
        email: row.get(3)?,
        created: (row.get(4)?, row.get(5)?),
        tokens: decode(row.get_ref(6)?.as_blob()?),
    })
}

struct Subscriber {
    id: u64,
    token: String,
    #[expect(dead_code, reason = "a subscriber is read whole")]
    rest: (Vec<u64>, u64, Option<u8>, Option<u64>, [u64; 3]),
}

fn subscriber(row: &rusqlite::Row) -> rusqlite::Result<Subscriber> {
    Ok(Subscriber {
        id: row.get(0)?,
        token: row.get(1)?,
        rest: (
            decode(row.get_ref(2)?.as_blob()?),
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            [row.get(6)?, row.get(7)?, row.get(8)?],
        ),
    })
}

impl<'a> SqliteReader<'a> {
    fn new(connection: &'a Connection) -> Self {
        let prepare = |sql| connection.prepare_cached(sql).unwrap();
        SqliteReader {
            find_by: FIND_BY.map(prepare),
            contact: prepare(
                "SELECT id, external_id, phone, email, created_at, created_through, tokens
                 FROM contacts WHERE id = ?1",
            ),
            subscriber: prepare(
                "SELECT id, token, contacts, last_registered_at, last_status, last_status_at,
                 sent, failed, clicked FROM subscribers WHERE app = ?1 AND token = ?2",
            ),
            page: prepare(
                "SELECT id, token, contacts, last_registered_at, last_status, last_status_at,
                 sent, failed, clicked FROM subscribers
                 WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            ),
            counts: prepare(
                "SELECT subscribers, contacts, removed_by_failed FROM apps WHERE id = ?1",
            ),
            begin: prepare("BEGIN"),
            end: prepare("COMMIT"),
        }
    }

    fn card(&mut self, given: &Given) -> Option<Card> {
        let texts = [&given.external_id, &given.phone, &given.email];
        let several = texts.iter().filter(|text| text.is_some()).count() > 1;
        if several {
            self.begin.execute([]).unwrap();
        }
        let mut tried = self.find_by.iter_mut().zip(texts);
        let found =
            tried.find_map(|(by, text)| by.query_row([text.as_ref()?], card).optional().unwrap());
        if several {
            self.end.execute([]).unwrap();
        }
        found
    }
}

impl Reader for SqliteReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        Some(black_box(self.card(given)?).id)
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        let card = self.contact.query_row([id], card).optional().unwrap();
        Some(black_box(card?).id)
    }

    fn subscriber(&mut self, token: &str) -> Option<u64> {
        let by = params![APP, token];
        let found = self.subscriber.query_row(by, subscriber);
        Some(black_box(found.optional().unwrap()?).id)
    }

    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str)) {
        let of = params![APP, after.unwrap_or(0), limit as u64];
        let rows = self.page.query_map(of, subscriber).unwrap();
        let page: Vec<Subscriber> = rows.map(Result::unwrap).collect();
        for subscriber in black_box(page) {
            see(subscriber.id, &subscriber.token);
        }
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        let card = self.card(given)?;
        Some(Known {
            external_id: card.external_id,
            phone: card.phone,
            email: card.email,
            tokens: card.tokens.into_iter().map(|held| held.token).collect(),
        })
    }

    fn counts(&mut self) -> Counts {
        let counts = self.counts.query_row([APP], |row| {
            Ok(Counts {
                subscribers: row.get(0)?,
                contacts: row.get(1)?,
                removed_by_failed: row.get(2)?,
            })
        });
        counts.unwrap()
    }
}
