//! The rows of the file after a merge was undone, and where none was made.

use std::collections::BTreeMap;
use std::path::Path;

use contact_store::{AddTokens, ContactStore, ContactUpdate, DedupeOn, Merge, TokenEntry, Upsert};

use crate::support::raw::{self, Key};
use crate::support::{APP, OTHER_APP, at, connect, id, options};

/// The tables of what is kept of merged contacts.
const KEPT: [&str; 3] = ["merges", "merged_ids", "merge_identifiers"];

/// All rows but those of the indexes, and those of counters: they have the sequence number.
fn rows(path: &Path) -> BTreeMap<String, Vec<(Key, Vec<u8>)>> {
    let tables = [
        "meta",
        "contacts",
        "taken_ids",
        "apps",
        "subscribers",
        "messages",
        "former_ids",
        "merged_ids",
        "merges",
        "merge_identifiers",
    ];
    let bytes = std::fs::read(path).unwrap();
    let there = raw::row_counts(&bytes);
    let tables = tables
        .into_iter()
        .filter(|table| there.contains_key(*table));
    let mut rows: BTreeMap<String, _> = tables
        .map(|table| (table.to_owned(), raw::rows(path, table)))
        .collect();
    let meta = rows.get_mut("meta").unwrap();
    meta.retain(|(key, _)| matches!(key, Key::Int(tally) if *tally >= 1 << 32));
    rows
}

#[test]
fn r58_merged_and_taken_out_with_nothing_between_every_row_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (options, clock) = options();
    let open = || ContactStore::open(&path, options.clone()).unwrap();
    let store = open();
    connect(&store);
    clock.set(at(5_000));
    let update = |n: u64| {
        let update = ContactUpdate::new().external_customer_id(format!("c{n}"));
        update
            .field("city", format!("{n}"))
            .phone(format!("38050000000{n}"))
    };
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId);
    store
        .upsert(upsert.contacts((1..=3).map(update)).at(at(900)))
        .wait()
        .unwrap();
    // An adopted id, above the counter.
    let adopted = ContactUpdate::new()
        .contact_id(9)
        .email("nine@example.com")
        .first_name("Nine");
    let upsert = Upsert::new(DedupeOn::ContactId).contact(adopted);
    store.upsert(upsert).wait().unwrap();
    for (app, token, n, time) in [
        (APP, "a", 1, 300),
        (APP, "b", 1, 200),
        (APP, "a", 2, 150),
        (APP, "c", 2, 250),
        (OTHER_APP, "a", 2, 100),
        (APP, "a", 3, 400),
        (APP, "c", 3, 500),
        (APP, "d", 3, 50),
    ] {
        let entry = TokenEntry::new(token).external_customer_id(format!("c{n}"));
        store
            .add_tokens(AddTokens::new(app).entry(entry).at(at(time)))
            .wait()
            .unwrap();
    }
    let nine = TokenEntry::new("b").email("nine@example.com");
    store
        .add_tokens(AddTokens::new(APP).entry(nine))
        .wait()
        .unwrap();
    store.close().unwrap();
    let before = rows(&path);
    assert!(KEPT.iter().all(|table| !before.contains_key(*table)));

    for (from, into) in [(1, 2), (2, 1), (3, 1), (9, 2), (2, 9), (1, 3)] {
        let store = open();
        store.merge(Merge::new(id(from), id(into))).wait().unwrap();
        store.close().unwrap();
        assert_ne!(rows(&path), before, "{from} into {into}");
        let store = open();
        store.unmerge(id(from)).wait().unwrap();
        store.close().unwrap();
        let mut after = rows(&path);
        for table in KEPT {
            assert_eq!(after.remove(table), Some(Vec::new()), "{from} into {into}");
        }
        assert_eq!(after, before, "{from} into {into}");
    }
    // A chain, taken apart from either end.
    for order in [[1, 2], [2, 1]] {
        let store = open();
        for (from, into) in [(1, 2), (2, 9)] {
            store.merge(Merge::new(id(from), id(into))).wait().unwrap();
        }
        for contact in order {
            store.unmerge(id(contact)).wait().unwrap();
        }
        store.close().unwrap();
        let mut after = rows(&path);
        for table in KEPT {
            assert_eq!(after.remove(table), Some(Vec::new()), "{order:?}");
        }
        assert_eq!(after, before, "{order:?}");
    }
}
