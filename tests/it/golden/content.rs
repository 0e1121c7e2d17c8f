//! What is in the golden files: rows of every table, and rows as long as the limits allow.

use contact_store::{
    AccessKey, AddTokens, AppId, AppName, ConnectApp, ContactStore, ContactUpdate, DedupeOn,
    RecordReports, RemoveToken, Report, Status, Token, TokenEntry, Upsert,
};

use crate::support::{APP, OTHER_APP, at, id};

/// The app that is disconnected.
pub const GONE: AppId = AppId::from_u128(0xc);

/// Rows that are left of it after one step, which removes a thousand: messages. Its only subscriber
/// goes first.
pub const LEFT_BEHIND: u64 = MESSAGES - 999;
const MESSAGES: u64 = 1_100;
/// Tokens that come and go: enough that the log of the indexes has rows of its own.
const GONE_TOKENS: usize = 200;
/// Commits: enough that the indexes are folded more than once, where they are folded early.
const MOVES: usize = 40;

fn long(what: char, bytes: usize) -> String {
    what.to_string().repeat(bytes)
}

/// Fills a new store.
pub fn write(store: &ContactStore) {
    connect(store);
    add(store);
    update(store);
    report(store);
    let unwanted = Token::parse("unwanted").unwrap();
    let removed = store.remove_token(RemoveToken::of_all(OTHER_APP, unwanted));
    assert_eq!(removed.wait().unwrap().outcome.from, [id(3)]);
    assert!(store.erase(id(9)).wait().unwrap().outcome.erased);
    for n in 0..MOVES {
        let email = format!("moved-{n}@example.com");
        let moved = ContactUpdate::new().phone("1234567").email(email);
        let moved = store.upsert(Upsert::new(DedupeOn::Phone).contact(moved));
        moved.wait().unwrap().outcome[0].as_ref().unwrap();
    }
}

fn connect(store: &ContactStore) {
    let app = |app, name: String| ConnectApp::new(AppName::parse(name).unwrap()).id(app);
    let key = AccessKey::parse(long('k', 4_096)).unwrap();
    for request in [
        app(APP, long('n', 256)).key(key),
        app(OTHER_APP, "Second bot".to_owned()),
        app(GONE, "Third bot".to_owned()),
    ] {
        store.connect_app(request).wait().unwrap();
    }
}

fn email_as_long_as_it_may_be() -> String {
    let label = long('d', 61);
    let email = format!("{}@{label}.{label}.{label}.com", long('l', 64));
    assert_eq!(email.len(), 254);
    email
}

fn add(store: &ContactStore) {
    let accepted = |app, entries: Vec<TokenEntry>| {
        let added = store
            .add_tokens(AddTokens::new(app).entries(entries))
            .wait();
        for entry in added.unwrap().outcome.entries {
            entry.unwrap();
        }
    };
    let mut entries = vec![
        // Contact 1, with everything as long as it may be.
        TokenEntry::new(long('t', 4_096))
            .external_customer_id(long('x', 1_024))
            .phone("+380 50 000 00 00 000")
            .email(email_as_long_as_it_may_be()),
        // 2 to 4, by one kind each, and with signs that are not ASCII.
        TokenEntry::new("by external id").external_customer_id("Крамниця №1"),
        TokenEntry::new("by phone").phone("1234567"),
        TokenEntry::new("by email").email("a.b+c@example.com"),
        // Ids that the host chose: a run, one alone, and the largest.
        TokenEntry::new("1000").contact_id(1_000),
        TokenEntry::new("1001").contact_id(1_001),
        TokenEntry::new("5000").contact_id(5_000),
        TokenEntry::new("largest").contact_id(i64::MAX),
        // Held by three.
        TokenEntry::new("shared").phone("1234567"),
        TokenEntry::new("shared").email("a.b+c@example.com"),
        TokenEntry::new("shared").contact_id(1_000),
        // 5 blocks the bot.
        TokenEntry::new("blocked").email("blocked@example.com"),
        // 6, 7 and 8.
        TokenEntry::new("full-0").email("full@example.com"),
        TokenEntry::new("7").email("fields@example.com"),
        TokenEntry::new("8").email("nothing@example.com"),
    ];
    // 9 is erased.
    let erased = |n| TokenEntry::new(format!("erased-{n}")).email("erased@example.com");
    entries.extend((0..GONE_TOKENS).map(erased));
    entries.extend((1..64).map(|n| TokenEntry::new(format!("full-{n}")).email("full@example.com")));
    accepted(APP, entries);
    accepted(
        OTHER_APP,
        vec![
            TokenEntry::new("shared").phone("1234567"),
            TokenEntry::new("unwanted").phone("1234567"),
        ],
    );
    accepted(GONE, vec![TokenEntry::new("gone").phone("1234567")]);
}

fn update(store: &ContactStore) {
    let update = |email: &str| ContactUpdate::new().email(email);
    let fields = update("fields@example.com")
        .first_name("Ганна")
        .last_name("O'Neill")
        .language_code("uk")
        .time_zone("Europe/Kyiv")
        .phone("+380 50 000 00 07")
        .external_customer_id("seven")
        .field(long('f', 128), long('v', 4_096))
        .field("empty", "")
        .field("lines", "one\ntwo");
    let full = (0..256).fold(update("full@example.com"), |update, n| {
        update.field(format!("field {n}"), n.to_string())
    });
    let request =
        Upsert::new(DedupeOn::Email).contacts([fields, full, update("upserted@example.com")]);
    for item in store.upsert(request).wait().unwrap().outcome {
        item.unwrap();
    }
}

fn report(store: &ContactStore) {
    let report = |status, token: &str| Report::new(status).token(token).at(at(900));
    let longest = long('m', 256);
    let of_app = [
        report(Status::Sent, "shared").message("spring"),
        report(Status::Clicked, "shared")
            .message("spring")
            .at(at(950)),
        report(Status::Sent, "by phone").message(longest),
        report(Status::Failed, "by email")
            .reason("timed out")
            .message("spring"),
        report(Status::Failed, "blocked")
            .message("spring")
            .at(at(1_000)),
        report(Status::Sent, "1000"),
    ];
    let of_gone = (0..MESSAGES).map(|n| report(Status::Sent, "gone").message(format!("{n}")));
    for request in [
        RecordReports::new(APP).reports(of_app),
        RecordReports::new(GONE).reports(of_gone),
    ] {
        for outcome in store.record_reports(request).wait().unwrap().outcome {
            outcome.unwrap();
        }
    }
}
