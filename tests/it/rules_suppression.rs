//! Suppressed identifiers: R65.

use std::ops::ControlFlow;
use std::path::Path;

use contact_store::{
    AddTokens, ContactStore, EntryError, Erase, Error, GivenIdentifiers, IdentifierKind, Limit,
    TokenEntry,
};

use crate::support::raw::row_counts;
use crate::support::script::{script, script_with};
use crate::support::{APP, add, assert_sound, connect, id, options, store_with};

#[test]
fn r65_an_entry_or_item_that_names_a_suppressed_identifier_is_refused_until_that_is_lifted() {
    script(
        "
        add A : t1 ext=c1 phone=380500000001 email=ann@example.com => 1 created added #1
        erase 1 suppress => true ext,phone,email
        // In any form, and whatever else is given.
        add A : t2 phone=00380500000001 | t2 email=ANN@example.com. | t2 ext=c1 | t2 ext=c2
            => refused Suppressed phone | refused Suppressed email | refused Suppressed ext
             | 2 created added #2
        add A : t3 ext=c2 email=ann@example.com => refused Suppressed email
        add A : t3 email=ann@example.com phone=380500000001 => refused Suppressed phone
        upsert email : email=ann@example.com => refused Suppressed email
        upsert externalCustomerId : ext=c2 phone=380500000001 => refused Suppressed phone
        upsert externalCustomerId : ext=c2 phone=null => 2 by ext unchanged
        // R23.
        add A mode=all : t3 ext=c3 | t3 ext=c1 => error EntryRefused 1: Suppressed ext
        // R28.
        explain email=ann@example.com
            => email:-; cascade refuses Suppressed email; top refuses Suppressed email
        // A look-up finds nobody.
        find email=ann@example.com => none
        lift email=Ann@Example.com => email
        lift email=Ann@Example.com => none
        add A : t3 email=ann@example.com => 3 created added #3
        add A : t3 ext=c1 => refused Suppressed ext
        lift ext=c1 phone=380500000001 email=ann@example.com => ext,phone
        add A : t3 ext=c1 => 4 created added #3 also=3
    ",
    );
}

#[test]
fn r65_r13_validity_comes_first_and_an_ignored_identifier_is_none() {
    script(
        "
        add A : t1 phone=380500000001 email=ann@example.com => 1 created added #1
        erase 1 suppress => true phone,email
        add A : - phone=380500000001 => refused token Blank
        add A : t phone=380500000001 email=x => refused email NoAtSign
        // What is valid and suppressed is not ignored.
        add A invalid=ignore : t phone=380500000001 email=x => refused Suppressed phone
        add A invalid=ignore : t phone=12 email=ann@example.com => refused Suppressed email
        add A invalid=ignore : t phone=12 ext=c1 => 2 created added #2 ignored=phone
        upsert email : phone=380500000001 => refused Suppressed phone
        upsert email : email=x phone=380500000001 => refused email NoAtSign
    ",
    );
}

#[test]
fn r65_r18_the_id_of_an_erased_contact_needs_no_suppression() {
    script(
        "
        add A : t1 id=7 => 7 created added #1
        erase 7 suppress => true
        erase 7 suppress => false
        add A : t1 id=7 => refused ContactIdErased(ContactId(7))
        lift id=7 => error NothingGiven
        lift id=7 ext=c1 => none
    ",
    );
}

#[test]
fn r65_r44_without_being_asked_for_nothing_is_suppressed() {
    script(
        "
        add A : t1 email=ann@example.com => 1 created added #1
        erase 1 => true
        add A : t1 email=ann@example.com => 2 created added #2
        // Nor is what the card no longer had.
        upsert email : email=ann@example.com phone=380500000001 => 2 by email updated
        upsert phone : email=ben@example.com phone=380500000001 => 2 by phone updated
        erase 2 suppress => true phone,email
        add A : t1 email=ann@example.com => 3 created added #3
        add A : t1 email=ben@example.com => refused Suppressed email
    ",
    );
}

#[test]
fn r65_over_the_limit_the_contact_is_not_erased() {
    script_with(
        |options| options.limits.suppressed_identifiers = 3,
        "
        add A : t1 phone=380500000001 email=ann@example.com => 1 created added #1
        add A : t2 phone=380500000002 email=ben@example.com => 2 created added #2
        erase 1 suppress => true phone,email
        erase 2 suppress => error SuppressedIdentifiers 4 of 3
        card 2 => 2 phone=380500000002 email=ben@example.com created 1000 via A [A:t2#2@1000]
        lift phone=380500000001 => phone
        erase 2 suppress => true phone,email
        lift phone=380500000009 => none
    ",
    );
}

#[test]
fn r65_the_stats_say_how_many_are_suppressed_and_how_many_may_be() {
    let (store, _) = store_with(|options| options.limits.suppressed_identifiers = 5);
    let entry = TokenEntry::new("t")
        .email("ann@example.com")
        .phone("380500000001");
    add(&store, entry);
    let counts = || {
        let stats = store.stats().unwrap();
        (stats.suppressed, stats.most_suppressed)
    };
    assert_eq!(counts(), (0, 5));
    store.erase(Erase::new(id(1)).suppress()).wait().unwrap();
    assert_eq!(counts(), (2, 5));
    let ann = GivenIdentifiers::new().email("ann@example.com");
    store.lift_suppression(ann.parse().unwrap()).wait().unwrap();
    assert_eq!(counts(), (1, 5));
}

#[test]
fn r65_a_refused_suppression_names_the_limit() {
    let (store, _) = store_with(|options| options.limits.suppressed_identifiers = 1);
    let entry = TokenEntry::new("t")
        .email("ann@example.com")
        .phone("380500000001");
    add(&store, entry);
    match store.erase(Erase::new(id(1)).suppress()).wait() {
        Err(Error::LimitExceeded(over)) => {
            assert_eq!((over.limit, over.actual), (Limit::SuppressedIdentifiers, 2));
            assert_eq!(over.to_string(), "2 suppressed identifiers, the most is 1");
        }
        other => panic!("{other:?}"),
    }
    assert!(store.erase(id(1)).wait().unwrap().outcome.erased);
}

#[test]
fn r65_a_store_that_never_suppressed_has_no_table_for_it_and_one_that_did_keeps_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (options, _) = options();
    let store = ContactStore::open(&path, options.clone()).unwrap();
    connect(&store);
    add(&store, TokenEntry::new("t").email("ann@example.com"));
    store.erase(id(1)).wait().unwrap();
    let ann = || {
        GivenIdentifiers::new()
            .email("ann@example.com")
            .parse()
            .unwrap()
    };
    let lifted = store.lift_suppression(ann()).wait().unwrap().outcome.lifted;
    assert!(lifted.is_empty());
    store.close().unwrap();
    let tables = |path: &Path| row_counts(&std::fs::read(path).unwrap());
    assert_eq!(tables(&path).get("suppressed"), None);

    let store = ContactStore::open(&path, options.clone()).unwrap();
    add(&store, TokenEntry::new("t").email("ann@example.com"));
    store.erase(Erase::new(id(2)).suppress()).wait().unwrap();
    assert_sound(&store);
    // R67: what is left after a vacuum is a hash. R66: a backup has it as well.
    store.vacuum(|_| ControlFlow::Continue(())).unwrap();
    let backup = directory.path().join("backup.redb");
    let now = store.snapshot().unwrap();
    now.backup(&backup, |_| ControlFlow::Continue(())).unwrap();
    drop(now);
    store.close().unwrap();
    for path in [&path, &backup] {
        assert_eq!(tables(path).get("suppressed"), Some(&1));
        let bytes = std::fs::read(path).unwrap();
        let text = b"ann@example.com";
        assert!(!bytes.windows(text.len()).any(|window| window == text));
        let store = ContactStore::open(path, options.clone()).unwrap();
        let request = TokenEntry::new("t").email("ann@example.com");
        let request = AddTokens::new(APP).entry(request);
        let refused = store.add_tokens(request).wait().unwrap().outcome.entries;
        let kind = IdentifierKind::Email;
        assert_eq!(
            refused.into_single(),
            Err(EntryError::Suppressed { kind }.into())
        );
        store.close().unwrap();
    }
}
