//! A script of all operations, what the store shows after each of its requests, and a watchdog.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use contact_store::{
    AccessKey, AddTokens, App, AppId, AppName, BringBack, Card, ChangePage, ChangePosition,
    Conflict, ConnectApp, ContactId, ContactStore, ContactUpdate, DedupeOn, Disk, Erase, Error,
    GivenIdentifiers, IdentifierKind, KeepChanges, ManualClock, MatchPolicy, Merge, MessageTally,
    Mute, Options, Ownership, Pending, RecordReports, RemoveStale, RemoveToken, Report,
    SequenceNumber, Snapshot, Split, Status, Subscriber, SubscriberId, Timestamp, Token,
    TokenEntry, Upsert, ValueChange,
};

use super::disk::TestDisk;
use crate::support::blocks::Blocks;
use crate::support::cases::HANG;
use crate::support::{APP, OTHER_APP, at, fold_early, id, options};

/// One request, to be made any number of times.
pub enum Request {
    Connect(ConnectApp),
    Disconnect(AppId),
    Add(AddTokens),
    Report(RecordReports),
    Remove(RemoveToken),
    Erase(ContactId),
    Suppress(ContactId),
    Forget(AppId, Timestamp),
    RemoveStale(RemoveStale),
    Mute(Mute),
    Upsert(Upsert),
    BringBack(BringBack),
    Merge(Merge),
    Unmerge(ContactId),
    Split(Split),
    Dismiss(ContactId, ContactId),
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
            Request::Suppress(contact) => Box::new(store.erase(Erase::new(*contact).suppress())),
            Request::Forget(app, before) => Box::new(store.forget_messages(*app, *before)),
            Request::RemoveStale(request) => Box::new(store.remove_stale(*request)),
            Request::Mute(request) => Box::new(store.mute(request.clone())),
            Request::Upsert(upsert) => Box::new(store.upsert(upsert.clone())),
            Request::BringBack(request) => Box::new(store.bring_back(request.clone())),
            Request::Merge(request) => Box::new(store.merge(*request)),
            Request::Unmerge(contact) => Box::new(store.unmerge(*contact)),
            Request::Split(request) => Box::new(store.split(request.clone())),
            Request::Dismiss(one, other) => Box::new(store.dismiss_conflict(*one, *other)),
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
const PEOPLE: u32 = 32;

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

/// Found by its external id, one person gets an email of another page of the index, and a field.
fn renamed(n: u32, email: impl Into<ValueChange>) -> ContactUpdate {
    ContactUpdate::new()
        .external_customer_id(external_id(n))
        .email(email)
        .field("was", self::email(n))
}

fn upsert(items: impl IntoIterator<Item = ContactUpdate>) -> Request {
    Request::Upsert(Upsert::new(DedupeOn::ExternalCustomerId).contacts(items))
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
            Request::BringBack(BringBack::new(APP, Token::parse(token(5)).unwrap())),
            Request::Remove(RemoveToken::of_all(APP, Token::parse(token(6)).unwrap())),
            Request::Erase(id(7)),
            Request::Forget(APP, at(500)),
        ]),
        one(Request::Add(
            AddTokens::new(APP)
                .ownership(Ownership::Exclusive)
                .entry(TokenEntry::new(token(8)).phone(phone(9))),
        )),
        // An email that one item frees and another takes, a contact that is created, and a conflict.
        one(upsert([
            renamed(10, email(30)),
            renamed(11, email(10)),
            renamed(31, email(31)),
            renamed(12, email(13)),
        ])),
        Line::Group(vec![
            upsert([renamed(14, ValueChange::Remove)]),
            add(APP, TokenEntry::new("14-by-phone").phone(phone(14))),
            // It says what the card holds: no number is taken.
            upsert([renamed(14, ValueChange::Remove)]),
            // Left by the last item of the line before (R61).
            Request::Dismiss(id(13), id(14)),
            Request::Erase(id(14)),
            upsert([renamed(15, email(14)).first_name("Ann")]),
        ]),
        one(many_tokens(20, 30)),
        Line::Read,
        one(Request::Mute(Mute::new(
            OTHER_APP,
            Token::parse("other-1").unwrap(),
        ))),
        one(Request::Merge(Merge::new(id(2), id(3)))),
        Line::Group(vec![
            Request::Merge(Merge::new(id(3), id(4))),
            Request::Unmerge(id(2)),
            Request::Split(Split::new(id(2)).identifier(IdentifierKind::Email)),
        ]),
        one(Request::RemoveStale(RemoveStale::new(
            OTHER_APP,
            at(u64::MAX),
        ))),
        one(Request::Disconnect(OTHER_APP)),
        one(connect(OTHER_APP, "Second bot again")),
        one(add(OTHER_APP, TokenEntry::new("other-3").phone(phone(1)))),
        one(many_tokens(22, 30)),
        one(Request::Suppress(id(20))),
        one(add(APP, everything_of(23))),
    ]
}

/// The answer to one question.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Apps(Vec<App>),
    Key(String),
    Card(Card),
    Found(ContactId, IdentifierKind),
    Subscribers(Vec<Subscriber>),
    Subscriber(Subscriber),
    Messages(Vec<MessageTally>),
    Changes(ChangePage),
    Conflicts(Vec<Conflict>),
    Nothing,
    UnknownApp,
}

impl Seen {
    fn or_nothing<T>(seen: Option<T>, show: impl FnOnce(T) -> Seen) -> Seen {
        seen.map_or(Seen::Nothing, show)
    }
}

/// Asks a store all that it shows, each question on its own.
pub fn ask(now: &Snapshot) -> Vec<Result<Seen, Error>> {
    let mut answers = vec![now.apps().map(Seen::Apps)];
    let given = GivenIdentifiers::new;
    for n in 0..PEOPLE {
        for given in [
            given().external_customer_id(external_id(n)),
            given().phone(phone(n)),
            given().email(email(n)),
        ] {
            let found = now.find(&given.parse().unwrap(), MatchPolicy::Cascade);
            answers.push(found.map(|found| {
                Seen::or_nothing(found, |found| Seen::Found(found.card.id, found.matched_by))
            }));
        }
    }
    for contact in (1..=40).chain([1_000]) {
        let card = now.contact(id(contact));
        answers.push(card.map(|card| Seen::or_nothing(card, Seen::Card)));
    }
    for app in [APP, OTHER_APP] {
        answers.push(
            now.access_key(app)
                .map(|key| Seen::or_nothing(key, |key| Seen::Key(key.reveal().to_owned()))),
        );
        answers.push(now.subscribers(app, None, 1_000).map(Seen::Subscribers));
        answers.push(now.messages(app, None, 1_000).map(Seen::Messages));
        let tokens = (0..PEOPLE).map(token);
        for text in tokens.chain((1..4).map(|n| format!("other-{n}"))) {
            let found = now.subscriber_by_token(app, &Token::parse(text).unwrap());
            answers.push(found.map(|found| Seen::or_nothing(found, Seen::Subscriber)));
        }
    }
    let of_apps = [1, 2].map(|app| (1..=60).map(move |n| SubscriberId::new(app << 40 | n)));
    for subscriber in of_apps.into_iter().flatten() {
        let found = now.subscriber(subscriber);
        answers.push(found.map(|found| Seen::or_nothing(found, Seen::Subscriber)));
    }
    // The change feed keeps all (R60).
    answers.push(now.changes(ChangePosition::START, 1_000).map(Seen::Changes));
    answers.push(now.conflicts(None, 1_000).map(Seen::Conflicts));
    for answer in &mut answers {
        if matches!(answer, Err(Error::UnknownApp(_))) {
            *answer = Ok(Seen::UnknownApp);
        }
    }
    answers
}

/// All that a store shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Visible {
    pub sequence: SequenceNumber,
    pub contacts: u64,
    pub answers: Vec<Seen>,
}

/// Reads all that a store shows.
pub fn visible(now: &Snapshot) -> Result<Visible, Error> {
    Ok(Visible {
        sequence: now.sequence(),
        contacts: now.contact_count(),
        answers: ask(now).into_iter().collect::<Result<_, _>>()?,
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
    /// The store shows exactly what it shows after the first `number` changing requests, and
    /// nothing in it contradicts anything else.
    #[track_caller]
    pub fn assert_at(&self, store: &ContactStore, number: u64) {
        self.assert_shown(store, number);
        let now = store.snapshot().unwrap();
        assert_eq!(now.verify().unwrap().problems, []);
    }

    /// The same without the verifying, which takes longer than everything else.
    #[track_caller]
    pub fn assert_shown(&self, store: &ContactStore, number: u64) {
        let now = store.snapshot().unwrap();
        assert_eq!(now.sequence().value(), number);
        assert_shows(&visible(&now).unwrap(), self.at(number));
    }

    /// The first line with a request that is not in yet at `number`.
    pub fn first_line_after(&self, number: u64) -> usize {
        let is_later = |numbers: &Vec<u64>| numbers.iter().any(|later| *later > number);
        let first = self.numbers.iter().position(is_later);
        first.unwrap_or(self.script.len())
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
    for (question, (seen, right)) in seen.answers.iter().zip(&right.answers).enumerate() {
        assert_eq!(seen, right, "question {question}");
    }
}

/// With a change feed, conflicts, and what FAILED removed.
fn fed_options() -> (Options, Arc<ManualClock>) {
    let (mut options, clock) = options();
    options.change_feed = Some(KeepChanges::default());
    options.conflicts = 10;
    options.remember_blocked = 10;
    (options, clock)
}

/// The script run once on a store in memory.
pub fn expected() -> &'static Expected {
    static EXPECTED: OnceLock<Expected> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let store = ContactStore::open_in_memory(fed_options().0).unwrap();
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
        let blocked = Token::parse(token(5)).unwrap();
        let now = store.snapshot().unwrap();
        let back = now.subscriber_by_token(APP, &blocked).unwrap();
        assert!(back.is_some(), "what FAILED removed is back");
        Expected {
            script,
            visible: seen,
            numbers,
        }
    })
}

/// Opens the store on a disk, with a cache that holds next to nothing if `tiny_cache` is set.
pub fn open_on(disk: &Arc<TestDisk>, tiny_cache: bool) -> Result<ContactStore, Error> {
    let disk: Arc<dyn Disk> = disk.clone();
    ContactStore::open_on_disk(disk, script_options(tiny_cache))
}

pub fn script_options(tiny_cache: bool) -> Options {
    let (mut options, _) = fed_options();
    fold_early(&mut options);
    if tiny_cache {
        options.cache_bytes = 16 << 10;
        options.index_memory = 0;
    }
    options
}

/// The disk before one line of the script.
pub struct Before {
    /// With the store closed.
    pub closed: Blocks,
    /// After a power cut while it was open.
    pub open: Blocks,
    /// The number that it is at.
    pub number: u64,
}

/// The disk before each line of the script, and after the last.
pub fn before_each_line() -> &'static [Before] {
    static BEFORE: OnceLock<Vec<Before>> = OnceLock::new();
    BEFORE.get_or_init(|| {
        let disk = TestDisk::empty();
        let mut store = open_on(&disk, false).unwrap();
        let mut before = Vec::new();
        for line in expected().script.iter().map(Some).chain([None]) {
            // It changes nothing, but what a disconnected app left is gone after it.
            store.erase(id(77)).wait().unwrap();
            let open = disk.durable();
            let closed = TestDisk::with(open.clone());
            let number = store.snapshot().unwrap().sequence().value();
            open_on(&closed, false).unwrap().close().unwrap();
            before.push(Before {
                closed: closed.shown(),
                open,
                number,
            });
            match line {
                Some(Line::Group(requests)) => {
                    for request in requests {
                        request.run(&store).unwrap();
                    }
                }
                Some(Line::Read) | None => {}
                Some(Line::CloseAndOpen) => {
                    store.close().unwrap();
                    store = open_on(&disk, false).unwrap();
                }
            }
        }
        before
    })
}
