//! A script of all operations, what the store shows after each of its requests, and a watchdog.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use contact_store::{
    AccessKey, AddTokens, App, AppId, AppName, Card, ConnectApp, ContactId, ContactStore, Disk,
    Error, GivenIdentifiers, IdentifierKind, MatchPolicy, MessageTally, Options, Ownership,
    Pending, RecordReports, RemoveToken, Report, SequenceNumber, Snapshot, Status, Subscriber,
    Timestamp, Token, TokenEntry,
};

use super::disk::TestDisk;
use crate::support::{APP, OTHER_APP, at, id, options};

/// How long anything may take. Nothing here takes a second.
pub const HANG: Duration = Duration::from_secs(10);

/// Runs a case on a thread of its own. A case that panics or hangs fails with its name.
#[track_caller]
pub fn watched<T: Send + 'static>(name: &str, case: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = case();
        let _ = done.send(());
        result
    });
    match wait.recv_timeout(HANG) {
        Err(RecvTimeoutError::Timeout) => panic!("{name}: hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(result) => result,
            Err(panic) => {
                eprintln!("{name}: failed");
                std::panic::resume_unwind(panic)
            }
        },
    }
}

/// One request, to be made any number of times.
pub enum Request {
    Connect(ConnectApp),
    Disconnect(AppId),
    Add(AddTokens),
    Report(RecordReports),
    Remove(RemoveToken),
    Erase(ContactId),
    Forget(AppId, Timestamp),
}

/// A request under way, whatever it is.
pub trait Answer {
    fn wait_at_most(&mut self, limit: Duration) -> Option<Result<SequenceNumber, Error>>;
}

impl<T> Answer for Pending<T> {
    fn wait_at_most(&mut self, limit: Duration) -> Option<Result<SequenceNumber, Error>> {
        let answer = self.wait_timeout(limit)?;
        Some(answer.map(|committed| committed.sequence))
    }
}

impl Request {
    pub fn queue(&self, store: &ContactStore) -> Box<dyn Answer> {
        match self {
            Request::Connect(connect) => Box::new(store.connect_app(connect.clone())),
            Request::Disconnect(app) => Box::new(store.disconnect_app(*app)),
            Request::Add(add) => Box::new(store.add_tokens(add.clone())),
            Request::Report(reports) => Box::new(store.record_reports(reports.clone())),
            Request::Remove(remove) => Box::new(store.remove_token(remove.clone())),
            Request::Erase(contact) => Box::new(store.erase(*contact)),
            Request::Forget(app, before) => Box::new(store.forget_messages(*app, *before)),
        }
    }

    #[track_caller]
    pub fn run(&self, store: &ContactStore) -> Result<SequenceNumber, Error> {
        self.queue(store).wait_at_most(HANG).expect("no answer")
    }
}

/// One line of the script.
pub enum Line {
    /// Requests that are decided in one commit, but for the first, which goes before.
    Group(Vec<Request>),
    /// Everything is read.
    Read,
    /// The store is closed and opened again.
    CloseAndOpen,
}

/// How many people there are in the script.
const PEOPLE: u32 = 24;

fn email(n: u32) -> String {
    format!("person{n}@example.com")
}

fn phone(n: u32) -> String {
    format!("+380 50 000 {n:04}")
}

// Long, so that few rows share a page.
fn external_id(n: u32) -> String {
    format!("shop-{n}-{}", "x".repeat(400))
}

fn token(n: u32) -> String {
    format!("{}", 100_000 + n)
}

fn everything_of(n: u32) -> TokenEntry {
    TokenEntry::new(token(n))
        .external_customer_id(external_id(n))
        .phone(phone(n))
        .email(email(n))
}

fn connect(app: AppId, name: &str) -> Request {
    let key = AccessKey::parse(format!("key of {name}")).unwrap();
    Request::Connect(
        ConnectApp::new(AppName::parse(name).unwrap())
            .id(app)
            .key(key),
    )
}

fn add(app: AppId, entry: TokenEntry) -> Request {
    Request::Add(AddTokens::new(app).entry(entry))
}

fn sent(n: u32, message: &str, millis: u64) -> Request {
    let report = Report::new(Status::Sent)
        .token(token(n))
        .message(message)
        .at(at(millis));
    Request::Report(RecordReports::new(APP).report(report))
}

/// Every operation, alone and in groups; deep trees, rows of many pages, and a file that grows.
pub fn script() -> Vec<Line> {
    let one = |request| Line::Group(vec![request]);
    // A card that takes pages of its own: the file has to grow.
    let many_tokens = |n: u32, count: u32| {
        let entry =
            move |i| TokenEntry::new(format!("{n}-{i}-{}", "y".repeat(4_000))).email(email(n));
        Request::Add(AddTokens::new(APP).entries((0..count).map(entry)))
    };
    vec![
        one(connect(APP, "First bot")),
        one(connect(OTHER_APP, "Second bot")),
        one(Request::Add(
            AddTokens::new(APP).entries((0..16).map(everything_of)),
        )),
        one(add(OTHER_APP, TokenEntry::new("other-1").phone(phone(1)))),
        // Held already: it changes nothing and takes no number (R47).
        one(add(APP, everything_of(1))),
        Line::Group(vec![
            add(APP, everything_of(16)),
            add(APP, everything_of(17)),
            // Refused: no identifier.
            add(APP, TokenEntry::new("nobody's")),
            add(OTHER_APP, TokenEntry::new("other-2").email(email(16))),
            add(APP, everything_of(16)),
        ]),
        Line::Group(vec![
            sent(2, "spring", 900),
            sent(3, "spring", 950),
            sent(4, "winter", 100),
        ]),
        one(Request::Report(
            RecordReports::new(APP).report(
                Report::new(Status::Failed)
                    .token(token(5))
                    .reason("Forbidden: bot was blocked by the user")
                    .message("spring"),
            ),
        )),
        Line::CloseAndOpen,
        one(add(
            APP,
            TokenEntry::new(token(18))
                .contact_id(1_000)
                .email(email(18)),
        )),
        Line::Group(vec![
            Request::Remove(RemoveToken::of_all(APP, Token::parse(token(6)).unwrap())),
            Request::Erase(id(7)),
            Request::Forget(APP, at(500)),
        ]),
        one(Request::Add(
            AddTokens::new(APP)
                .ownership(Ownership::Exclusive)
                .entry(TokenEntry::new(token(8)).phone(phone(9))),
        )),
        one(many_tokens(20, 30)),
        Line::Read,
        one(Request::Disconnect(OTHER_APP)),
        one(connect(OTHER_APP, "Second bot again")),
        one(add(OTHER_APP, TokenEntry::new("other-3").phone(phone(1)))),
        one(many_tokens(22, 30)),
        one(Request::Erase(id(20))),
        one(add(APP, everything_of(23))),
    ]
}

/// All that a store shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Visible {
    sequence: SequenceNumber,
    contacts: u64,
    apps: Vec<App>,
    keys: Vec<String>,
    cards: Vec<Card>,
    found: Vec<Option<(ContactId, IdentifierKind)>>,
    subscribers: Vec<Subscriber>,
    by_token: Vec<Option<Subscriber>>,
    messages: Vec<MessageTally>,
}

/// Reads all that a store shows.
pub fn visible(now: &Snapshot) -> Result<Visible, Error> {
    let mut found = Vec::new();
    for n in 0..PEOPLE {
        let given = GivenIdentifiers::new;
        for given in [
            given().external_customer_id(external_id(n)),
            given().phone(phone(n)),
            given().email(email(n)),
        ] {
            let found_one = now.find(&given.parse().unwrap(), MatchPolicy::Cascade)?;
            found.push(found_one.map(|found| (found.card.id, found.matched_by)));
        }
    }
    let mut cards = Vec::new();
    for contact in (1..=40).chain([1_000]) {
        cards.extend(now.contact(id(contact))?);
    }
    let apps = now.apps()?;
    let (mut keys, mut subscribers, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_token = Vec::new();
    for app in &apps {
        keys.extend(now.access_key(app.id)?.map(|key| key.reveal().to_owned()));
        let listed = now.subscribers(app.id, None, 1_000)?;
        for subscriber in &listed {
            assert_eq!(
                now.subscriber(subscriber.id)?.as_ref(),
                Some(subscriber),
                "listed, but not found by its id"
            );
        }
        subscribers.extend(listed);
        messages.extend(now.messages(app.id, None, 1_000)?);
        for text in (0..PEOPLE)
            .map(token)
            .chain((1..4).map(|n| format!("other-{n}")))
        {
            by_token.push(now.subscriber_by_token(app.id, &Token::parse(text).unwrap())?);
        }
    }
    Ok(Visible {
        sequence: now.sequence(),
        contacts: now.contact_count(),
        apps,
        keys,
        cards,
        found,
        subscribers,
        by_token,
        messages,
    })
}

/// The script, and what is right after each of its requests.
pub struct Expected {
    pub script: Vec<Line>,
    /// What a store shows at each number.
    pub visible: Vec<Visible>,
    /// The number after each request of each line.
    pub numbers: Vec<Vec<u64>>,
}

impl Expected {
    pub fn last(&self) -> u64 {
        u64::try_from(self.visible.len()).unwrap() - 1
    }

    /// The store shows exactly what it shows after the first `number` changing requests, and
    /// nothing in it contradicts anything else.
    #[track_caller]
    pub fn assert_at(&self, store: &ContactStore, number: u64) {
        let now = store.snapshot().unwrap();
        assert_eq!(now.sequence().value(), number);
        assert_shows(&visible(&now).unwrap(), self.at(number));
        assert_eq!(now.verify().unwrap().problems, []);
    }

    pub fn at(&self, number: u64) -> &Visible {
        &self.visible[usize::try_from(number).unwrap()]
    }
}

/// Not `assert_eq`, which would print thousands of lines.
#[track_caller]
pub fn assert_shows(seen: &Visible, right: &Visible) {
    assert_eq!(seen.sequence, right.sequence);
    assert_eq!(seen.contacts, right.contacts);
    assert_eq!(seen.apps, right.apps);
    for (seen, right) in seen.cards.iter().zip(&right.cards) {
        assert_eq!(seen, right);
    }
    assert!(*seen == *right, "another state than that of its number");
}

/// The script run once on a store in memory.
pub fn expected() -> &'static Expected {
    static EXPECTED: OnceLock<Expected> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let store = ContactStore::open_in_memory(options().0).unwrap();
        let script = script();
        let show = || visible(&store.snapshot().unwrap()).unwrap();
        let mut seen = vec![show()];
        let mut numbers = Vec::new();
        for line in &script {
            let mut of_line = Vec::new();
            if let Line::Group(requests) = line {
                for request in requests {
                    let number = request.run(&store).unwrap().value();
                    of_line.push(number);
                    if number == u64::try_from(seen.len()).unwrap() {
                        seen.push(show());
                    }
                    assert_eq!(number + 1, u64::try_from(seen.len()).unwrap());
                }
            }
            numbers.push(of_line);
        }
        Expected {
            script,
            visible: seen,
            numbers,
        }
    })
}

/// Opens the store on a disk, with a cache that holds next to nothing if it is to be tiny.
pub fn open_on(disk: &Arc<TestDisk>, tiny_cache: bool) -> Result<ContactStore, Error> {
    let disk: Arc<dyn Disk> = disk.clone();
    ContactStore::open_on_disk(disk, script_options(tiny_cache))
}

pub fn script_options(tiny_cache: bool) -> Options {
    let (mut options, _) = options();
    if tiny_cache {
        options.cache_bytes = 16 << 10;
    }
    options
}

/// The bytes of a store on which the whole script was played, and that was closed.
pub fn closed_image() -> &'static Vec<u8> {
    &images().0
}

/// The same of one that was not closed.
pub fn open_image() -> &'static Vec<u8> {
    &images().1
}

fn images() -> &'static (Vec<u8>, Vec<u8>) {
    static IMAGES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let disk = TestDisk::empty();
        let mut store = open_on(&disk, false).unwrap();
        for line in script() {
            match line {
                Line::Group(requests) => {
                    for request in requests {
                        request.run(&store).unwrap();
                    }
                }
                Line::Read => {}
                Line::CloseAndOpen => {
                    store.close().unwrap();
                    store = open_on(&disk, false).unwrap();
                }
            }
        }
        let open = disk.after_power_cut();
        store.close().unwrap();
        (disk.bytes(), open)
    })
}
