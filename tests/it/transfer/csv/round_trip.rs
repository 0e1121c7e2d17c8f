//! An export, imported into an empty store, gives the same contacts.

use std::ops::ControlFlow;

use contact_store::transfer::{CsvOptions, export_csv};
use contact_store::{Card, ContactStore, ContactUpdate, DedupeOn, Upsert};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::{cards, counts, empty, import};

/// What CSV holds of a contact.
fn held(cards: Vec<Card>) -> Vec<Card> {
    let held = |mut card: Card| {
        card.created_at = contact_store::Timestamp::from_millis(0);
        card.created_through = None;
        card.tokens.clear();
        card
    };
    cards.into_iter().map(held).collect()
}

fn exported(store: &ContactStore) -> Vec<u8> {
    let now = store.snapshot().unwrap();
    let mut file = Vec::new();
    let made = export_csv(&now, &mut file, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(made.sequence, now.sequence());
    assert_eq!(made.bytes, file.len() as u64);
    assert_eq!(
        (made.contacts, made.rows),
        (now.contact_count(), now.contact_count())
    );
    file
}

/// Exports and imports; what a spreadsheet would take for a formula is only a phone.
#[track_caller]
fn comes_back(store: &ContactStore) {
    let file = exported(store);
    let text = std::str::from_utf8(&file).unwrap();
    assert!(text.starts_with(
        "contactId,externalCustomerId,phone,email,firstName,lastName,languageCode,timeZone,\
         customFields\r\n"
    ));
    let other = empty();
    let (done, refused) = import(&other, &file, CsvOptions::default());
    let contacts = cards(store).len() as u64;
    assert_eq!(refused, []);
    assert_eq!(counts(&done.imported), [contacts, contacts, 0, 0, 0]);
    assert_eq!(done.imported.more_values, 0);
    assert!(
        held(cards(&other)) == held(cards(store)),
        "not the same contacts"
    );
    assert!(exported(&other) == file, "another export");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "['=+@0-9a,;\"\\-\t\r\n ]{0,5}",
        "\\PC{0,20}",
        any::<String>(),
        Just("' ::: ;,".to_owned()),
    ]
}

#[derive(Clone, Debug)]
struct Person {
    external: Option<String>,
    phone: Option<u64>,
    email: Option<String>,
    fixed: [Option<String>; 4],
    custom: std::collections::BTreeMap<String, String>,
}

fn person() -> impl Strategy<Value = Person> {
    (
        option::of("[=+@'\\-0-9a-z ,;\"]{1,6}"),
        option::of(1_000_000_u64..=999_999_999_999_999),
        option::of("[-=+'!#$%&*/?^_`{|}~.0-9a-z]{1,10}@[a-z]{1,5}\\.[a-z]{2,3}"),
        [
            option::of(text()),
            option::of(text()),
            option::of(text()),
            option::of(text()),
        ],
        btree_map("[=+@'a-z ,;\"]{0,4}[a-z]", text(), 0..3),
    )
        .prop_map(|(external, phone, email, fixed, custom)| Person {
            external,
            phone,
            email,
            fixed,
            custom,
        })
}

/// Those who are refused, because of a placeholder or because another has an identifier, are left out.
fn store_of(people: Vec<Person>) -> ContactStore {
    let store = empty();
    for (n, person) in (1_u64..).zip(people) {
        let mut update = ContactUpdate::new().contact_id(n * 7);
        let [first, last, language, zone] = person.fixed;
        if let Some(id) = person.external {
            update = update.external_customer_id(id);
        }
        if let Some(phone) = person.phone {
            update = update.phone(phone.to_string());
        }
        if let Some(email) = person.email {
            update = update.email(email);
        }
        if let Some(name) = first {
            update = update.first_name(name);
        }
        if let Some(name) = last {
            update = update.last_name(name);
        }
        if let Some(code) = language {
            update = update.language_code(code);
        }
        if let Some(zone) = zone {
            update = update.time_zone(zone);
        }
        for (name, value) in person.custom {
            update = update.field(name, value);
        }
        let request = Upsert::new(DedupeOn::ContactId).contact(update);
        drop(store.upsert(request).wait().unwrap());
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn r70_a_random_store_comes_back_from_its_export(people in vec(person(), 0..8)) {
        comes_back(&store_of(people));
    }
}

#[test]
fn r70_what_looks_like_damage_comes_back() {
    let store = empty();
    let update = ContactUpdate::new;
    let people = [
        update().contact_id(1).external_customer_id("'0017"),
        update().contact_id(2).external_customer_id("+380500000001"),
        update().contact_id(3).external_customer_id("-"),
        update().contact_id(4).external_customer_id("  padded "),
        update().contact_id(5).email("+380500000001@example.com"),
        update().contact_id(6).email("'=1@example.com"),
        update()
            .contact_id(7)
            .first_name("")
            .last_name(" ")
            .time_zone("'"),
        update()
            .contact_id(8)
            .first_name("=1+1")
            .last_name("\u{FEFF}x\u{0}"),
        update().contact_id(10).external_customer_id("3.8E+11"),
        update().contact_id(11).external_customer_id("'3.8E+11"),
        update().contact_id(12).external_customer_id(" '0"),
        update().contact_id(9).field("", "x").field("=", "{}"),
    ];
    let request = Upsert::new(DedupeOn::ContactId).contacts(people);
    let upserted = store.upsert(request).wait().unwrap().outcome;
    // `-` is a placeholder (R3), and the empty name is none (R43).
    let refused: Vec<usize> = (0..upserted.len())
        .filter(|n| upserted[*n].is_err())
        .collect();
    assert_eq!(refused, [2, 11]);
    comes_back(&store);
}

#[test]
fn r70_an_empty_store_has_a_header() {
    let store = empty();
    assert_eq!(
        exported(&store)
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
        1
    );
    comes_back(&store);
}
