//! The ids that the store assigns and those that it is given: R19.

use std::collections::BTreeSet;

use contact_store::{AddTokens, ContactId, EntryError, TokenEntry};

use crate::support::place;
use crate::support::raw;
use crate::support::script::script;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP, assert_sound, connect, id, options, store};

#[test]
fn r19_the_counter_starts_at_1_and_passes_over_ids_in_use() {
    script(
        "
        add A : a ext=c1 => 1 created added #1
        // Adopting the very next id, and some after it, in any order.
        add A : b id=2 | c id=4 | d id=3 | e id=6 => 2 created added #2 | 4 created added #3
             | 3 created added #4 | 6 created added #5
        explain ext=c2   => ext:-; cascade creates 5 with ext; top creates 5 with ext
        add A : f ext=c2 => 5 created added #6
        add A : g ext=c3 => 7 created added #7
    ",
    );
}

#[test]
fn r19_adopting_never_moves_the_counter() {
    script(
        "
        add A : a id=9223372036854775807 => 9223372036854775807 created added #1
        add A : b id=9223372036854775806 => 9223372036854775806 created added #2
        add A : c ext=c1 => 1 created added #3
        add A : d id=2   => 2 created added #4
        add A : e ext=c3 => 3 created added #5
        add A : f id=1   => 1 by id added #6
    ",
    );
}

#[test]
fn r19_the_id_of_an_erased_contact_is_never_assigned() {
    script(
        "
        add A : a ext=c1 => 1 created added #1
        erase 1          => true
        add A : a ext=c1 => 2 created added #2
        // An adopted id in front of the counter, erased before the counter comes by.
        add A : b id=3   => 3 created added #3
        add A : c id=4   => 4 created added #4
        erase 3          => true
        add A : d ext=c2 => 5 created added #5
        add A : e id=3   => refused ContactIdErased(ContactId(3))
        // And one that it has passed.
        erase 4          => true
        add A : f id=4   => refused ContactIdErased(ContactId(4))
        add A : f ext=c3 => 6 created added #6
    ",
    );
}

#[test]
fn r19_a_refused_entry_takes_no_id() {
    script(
        "
        add A mode=all : a ext=c1 | b id=7 | c => error EntryRefused 2: NoIdentifier
        add A : a ext=c1 => 1 created added #1
        // 7 was neither adopted nor remembered as erased.
        add A : b id=7   => 7 created added #2
    ",
    );
}

/// Decides each list of wishes as one request to a new store: an id is adopted or found, no id is
/// assigned. The ids must be those that a plain set of taken ids gives.
fn compare_with_a_set(wishes: &[Option<u64>]) {
    let (store, _) = store();
    let entries = wishes.iter().enumerate().map(|(index, wish)| {
        let entry = TokenEntry::new(format!("t{index}"));
        match wish {
            Some(id) => entry.contact_id(*id),
            None => entry.external_customer_id(format!("c{index}")),
        }
    });
    let request = AddTokens::new(APP).entries(entries);
    let outcome = store.add_tokens(request).wait().unwrap().outcome;
    let mut taken = BTreeSet::new();
    for (wish, outcome) in wishes.iter().zip(outcome.entries) {
        let expected = wish.unwrap_or_else(|| (1..).find(|id| !taken.contains(id)).unwrap());
        taken.insert(expected);
        assert_eq!(outcome.unwrap().contact, id(expected), "{wishes:?}");
    }
    assert_sound(&store);
}

#[test]
fn r19_ids_adopted_in_any_order_are_passed_over() {
    // The assigning at the end walks over whatever the rest left behind.
    let alphabet = [None, Some(1), Some(2), Some(3), Some(4)];
    for wishes in (0..5_usize.pow(4)).step_by(place::one_of(25)) {
        let nth = |place: u32| alphabet[wishes / 5_usize.pow(place) % 5];
        let mut wishes: Vec<_> = (0..4).map(nth).collect();
        wishes.extend([None; 3]);
        compare_with_a_set(&wishes);
    }
}

/// Imports the ids 1 to `ids` and assigns the next one. Gives how many pages the assigning read with
/// nothing cached, and how many rows there were before it that are not due to one of the contacts.
fn assign_behind(ids: u64) -> (u64, u64) {
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.entries_per_request = usize::MAX;
    let store = disk.open(&options);
    connect(&store);
    let entries = (1..=ids).map(|id| TokenEntry::new(id.to_string()).contact_id(id));
    let request = AddTokens::new(APP).entries(entries);
    let outcome = store.add_tokens(request).wait().unwrap().outcome;
    assert!(outcome.entries.iter().all(Result::is_ok));
    assert_sound(&store);
    store.close().unwrap();
    // A contact and a subscriber.
    let other_rows = raw::rows_besides_indexes(&disk.bytes()) - 2 * ids;

    options.cache_bytes = 0;
    let store = disk.open(&options);
    let before = disk.reads();
    let next = TokenEntry::new("next").external_customer_id("next");
    let request = AddTokens::new(APP).entry(next);
    let outcome = store.add_tokens(request).wait().unwrap().outcome;
    let reads = disk.reads() - before;
    let added = outcome.entries.into_iter().next().unwrap().unwrap();
    assert_eq!(added.contact, id(ids + 1));
    (reads, other_rows)
}

#[test]
fn r19_passing_over_imported_ids_costs_the_same_however_many_there_are() {
    let [few, many] = [10_000, 100_000].map(assign_behind);
    assert_eq!(few.1, many.1, "rows other than those of the contacts");
    // Trees that hold ten times as much may be a level deeper, no more.
    assert!(many.0 < 2 * few.0, "{} and {} pages read", few.0, many.0);
    assert!(many.0 < 1_000, "{} pages read", many.0);
}

#[test]
fn r19_the_largest_id_is_adopted_once() {
    let (store, _) = store();
    let add = |token: &str, id: u64| {
        let request = AddTokens::new(APP).entry(TokenEntry::new(token).contact_id(id));
        let outcome = store.add_tokens(request).wait().unwrap().outcome;
        outcome.entries.into_iter().next().unwrap()
    };
    let largest = id(ContactId::MAX);
    let first = add("t", ContactId::MAX).unwrap();
    assert_eq!((first.contact, first.matched_by), (largest, None));
    assert!(store.erase(largest).wait().unwrap().outcome.erased);
    assert_eq!(
        add("t", ContactId::MAX),
        Err(EntryError::ContactIdErased(largest))
    );
    assert_sound(&store);
}
