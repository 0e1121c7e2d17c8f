//! Stores over the servers of the tests, and what every test of a failure asks of them.

use std::time::Duration;

use contact_store::{
    AddTokens, AppId, AppName, Committed, ConnectApp, ContactStore, DatabaseError, Error, Options,
    PostgresOptions, SequenceNumber, StorageError, Token, TokenEntry, TokensAdded,
};

pub const APP: AppId = AppId::from_u128(7);

/// Longer than anything takes that does not fail, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn at(url: &str, patience: Duration) -> PostgresOptions {
    PostgresOptions::new(url).patience(patience).connections(4)
}

#[track_caller]
pub fn open(url: &str) -> ContactStore {
    open_within(url, PATIENCE)
}

#[track_caller]
pub fn open_within(url: &str, patience: Duration) -> ContactStore {
    ContactStore::connect(&at(url, patience), Options::default()).unwrap()
}

/// Connects the app that the tests use.
#[track_caller]
pub fn connect_app(store: &ContactStore) {
    let bot = ConnectApp::new(AppName::parse("Bot").unwrap()).id(APP);
    store.connect_app(bot).wait().unwrap();
}

pub fn email(number: u64) -> String {
    format!("c{number}@example.com")
}

pub fn token(number: u64) -> String {
    format!("t{number}")
}

pub fn parsed_token(number: u64) -> Token {
    Token::parse(token(number)).unwrap()
}

pub fn entry(number: u64) -> TokenEntry {
    TokenEntry::new(token(number)).email(email(number))
}

/// Adds a token and the contact of the same number.
pub fn add(store: &ContactStore, number: u64) -> Result<Committed<TokensAdded>, Error> {
    store
        .add_tokens(AddTokens::new(APP).entry(entry(number)))
        .wait()
}

/// Whether the token and the contact of this number are there, which are so together or not at all.
#[track_caller]
pub fn has(store: &ContactStore, number: u64) -> bool {
    let now = store.snapshot().unwrap();
    let card = now.by_email(&email(number)).unwrap();
    let subscriber = now.subscriber_by_token(APP, &parsed_token(number)).unwrap();
    assert_eq!(card.is_some(), subscriber.is_some(), "{number}");
    card.is_some()
}

#[track_caller]
pub fn assert_sound(store: &ContactStore) {
    let verified = store.snapshot().unwrap().verify().unwrap();
    let first = verified.problems.first();
    assert_eq!(verified.problem_count, 0, "{first:?}");
}

/// The number that an indeterminate request would have; `None` when nothing of it was written.
#[track_caller]
pub fn indeterminate(error: &Error) -> Option<SequenceNumber> {
    match error {
        Error::Indeterminate {
            sequence,
            cause: StorageError::Database(DatabaseError::Unreachable),
        } => Some(*sequence),
        Error::Storage(StorageError::Database(DatabaseError::Unreachable)) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_is_opened_over_a_socket_of_the_same_machine_without_tls() {
    let Some(cluster) = crate::cluster::shared() else {
        return;
    };
    let place = cluster.database("socket");
    for url in [
        place.socket_url.clone(),
        format!("{}?sslmode=require", place.socket_url),
    ] {
        let store = open(&url);
        connect_app(&store);
        assert_eq!(store.snapshot().unwrap().apps().unwrap().len(), 1);
    }
}
