//! Values that the first version of the canonical forms took and the present one refuses (R3–R5, R7).

use contact_store::{
    AddTokens, AppId, ContactId, ContactStore, ContactUpdate, DedupeOn, EntryError, Fault,
    GivenIdentifiers, MatchPolicy, Options, RemoveToken, Token, TokenEntry, Upsert,
};

use super::copy;
use crate::support::{assert_sound, id};

/// A file that a build with version 1 made. On its cards:
///
/// 1. token `1`, external id `undefined`, email `ann@example.com`;
/// 2. token `undefined`, email `a@b.com;c@d.com`;
/// 3. token `3`, the phone that was made of `380501234567.0`;
/// 4. token `4`, email `wrong()[]",:;<>@@gmail.com`.
const FILE: &str = "format_1/older_forms.pages";

const APP: AppId = AppId::from_u128(0x6f1c_3f6e_5a54_4d2b_9d0c_0a1b_2c3d_4e5f);

fn email_of(store: &ContactStore, contact: u64) -> Option<String> {
    let card = store.snapshot().unwrap().contact(id(contact)).unwrap();
    let identifiers = card.unwrap().identifiers;
    identifiers.email().map(|email| email.as_str().to_owned())
}

fn found(store: &ContactStore, given: GivenIdentifiers) -> Option<ContactId> {
    let now = store.snapshot().unwrap();
    let found = now.find(&given.parse().unwrap(), MatchPolicy::Cascade);
    found.unwrap().map(|found| found.card.id)
}

#[test]
fn r7_values_of_older_canonical_forms_can_be_read_and_found() {
    let (_directory, path) = copy(FILE);
    let store = ContactStore::open(&path, Options::default().upgrade(true)).unwrap();
    assert_sound(&store);
    // By contact id, and what is on the card is shown as it was stored.
    assert_eq!(email_of(&store, 2).as_deref(), Some("a@b.com;c@d.com"));
    assert_eq!(
        email_of(&store, 4).as_deref(),
        Some("wrong()[]\",:;<>@@gmail.com")
    );
    // By the value itself where it still parses, and by token.
    let given = GivenIdentifiers::new;
    let undefined = given().external_customer_id("undefined");
    assert_eq!(found(&store, undefined), Some(id(1)));
    assert_eq!(found(&store, given().phone("3805012345670")), Some(id(3)));
    let now = store.snapshot().unwrap();
    for (token, contact) in [("1", 1), ("undefined", 2), ("3", 3), ("4", 4)] {
        let token = Token::parse(token).unwrap();
        let subscriber = now.subscriber_by_token(APP, &token).unwrap().unwrap();
        assert_eq!(subscriber.contacts, [id(contact)]);
    }
    // Nothing new joins them.
    let stranger = TokenEntry::new("5").external_customer_id("undefined");
    let added = store.add_tokens(AddTokens::new(APP).entry(stranger)).wait();
    match &added.unwrap().outcome.entries[0] {
        Err(EntryError::Field(error)) => assert_eq!(error.fault(), &Fault::Placeholder),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r42_r44_r45_values_of_older_canonical_forms_can_be_taken_off_and_erased() {
    use contact_store::ValueChange::Remove;
    let (_directory, path) = copy(FILE);
    let store = ContactStore::open(&path, Options::default().upgrade(true)).unwrap();
    let by_id = |contact: u64| ContactUpdate::new().contact_id(contact);
    let upsert = Upsert::new(DedupeOn::ContactId)
        .contact(by_id(1).external_customer_id(Remove))
        .contact(by_id(2).email("c@d.com"))
        .contact(by_id(4).email(Remove));
    for outcome in store.upsert(upsert).wait().unwrap().outcome {
        outcome.unwrap();
    }
    let undefined = Token::parse("undefined").unwrap();
    let removed = store.remove_token(RemoveToken::of_all(APP, undefined));
    assert_eq!(removed.wait().unwrap().outcome.from, [id(2)]);
    store.erase(id(3)).wait().unwrap();
    let given = GivenIdentifiers::new;
    assert_eq!(
        found(&store, given().external_customer_id("undefined")),
        None
    );
    assert_eq!(found(&store, given().email("c@d.com")), Some(id(2)));
    assert_eq!(found(&store, given().phone("3805012345670")), None);
    assert_eq!(email_of(&store, 4), None);
    assert_sound(&store);
    store.close().unwrap();
    // And so it is after a restart.
    let store = ContactStore::open(&path, Options::default().upgrade(true)).unwrap();
    assert_sound(&store);
    assert_eq!(found(&store, given().email("ann@example.com")), Some(id(1)));
}
