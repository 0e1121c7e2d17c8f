//! Requests of several items: R23, R41, R42.

use contact_store::{
    ContactUpdate, DedupeOn, EntryError, Error, Fault, Field, Limit, LimitExceeded, Upsert,
    ValueChange,
};

use crate::support::script::{script, script_with};
use crate::support::store_with;

#[test]
fn r23_items_see_the_ones_before_them() {
    script(
        "
        upsert phone : phone=380500000001 email=a@example.com | phone=380500000001 first=Ann | phone=380500000001 email=b@example.com
             | phone=380500000002 email=a@example.com
            => 1 created | 1 by phone updated | 1 by phone updated | 2 created
        card 1 => 1 phone=380500000001 email=b@example.com first=\"Ann\" created 1000 []
        // The first frees what the second takes.
        upsert email : phone=null email=b@example.com | phone=380500000001 email=a@example.com
            => 1 by email updated | 2 by email updated
        card 2 => 2 phone=380500000001 email=a@example.com created 1000 []
        // And what the third creates is found by the fourth.
        upsert externalCustomerId : ext=c3 phone=380500000002 | ext=c3 phone=380500000003 | ext=c4 phone=380500000002
            => 3 created | 3 by ext updated | 4 created
    ",
    );
}

#[test]
fn r42_two_contacts_cannot_swap_phones_in_two_items() {
    script(
        "
        upsert email : phone=380500000001 email=a@example.com | phone=380500000002 email=b@example.com => 1 created | 2 created
        // Items are decided in order: when the first is, the second still has its phone.
        upsert email : phone=380500000002 email=a@example.com | phone=380500000001 email=b@example.com
            => refused Conflict phone 2 | refused Conflict phone 1
        // Three items can.
        upsert email : phone=null email=a@example.com | phone=380500000001 email=b@example.com
             | phone=380500000002 email=a@example.com
            => 1 by email updated | 2 by email updated | 1 by email updated
        find phone=380500000001 => 2 by phone
        find phone=380500000002 => 1 by phone
    ",
    );
}

#[test]
fn r23_a_refused_item_writes_nothing_and_leaves_its_neighbours() {
    script(
        "
        upsert phone : phone=380500000001 email=a@example.com                   => 1 created
        upsert phone : phone=380500000002 first=B | phone=380500000003 email=a@example.com first=C | phone=12 | phone=380500000004
             | phone=380500000001 id=4 first=A | phone=380500000002 last=B
            => 2 created | refused Conflict email 1 | refused phone DigitCount { digits: 2 } | 3 created
             | refused Conflict id 1 | 2 by phone updated
        find phone=380500000003 => none
        card 1                  => 1 phone=380500000001 email=a@example.com created 1000 []
        card 2                  => 2 phone=380500000002 first=\"B\" last=\"B\" created 1000 []
        contacts                => 3
    ",
    );
}

#[test]
fn r23_all_or_nothing_refuses_the_request_with_its_first_fault() {
    script(
        "
        upsert phone : phone=380500000001 email=a@example.com                   => 1 created
        upsert phone mode=all : phone=380500000001 first=A | phone=380500000002 email=a@example.com | phone=12
            => error EntryRefused 1: Conflict email 1
        upsert phone mode=all : phone=380500000001 first=A | phone=380500000002 | -
            => error EntryRefused 2: NothingToFindBy
        upsert phone mode=all : phone=380500000001 email=null | phone=380500000002 id=9 | phone=380500000001 id=8
            => error EntryRefused 2: Conflict id 1
        card 1                                 => 1 phone=380500000001 email=a@example.com created 1000 []
        // Nothing was adopted, and no id is used up.
        upsert phone mode=all : phone=380500000002 first=B | phone=380500000001 first=A => 2 created | 1 by phone updated
        upsert contactId unknown=reject : id=9 => refused UnknownContactId
        // An empty list is fine.
        upsert phone :                         =>
        upsert phone mode=all :                =>
    ",
    );
}

#[test]
fn r13_identifiers_are_read_in_priority_order_and_fields_after_them() {
    let long = "x".repeat(4_097);
    // Every later fault is in the item as well.
    let faults = [
        ("id=0", "contactId ContactIdOutOfRange"),
        ("ext=undefined", "externalCustomerId Placeholder"),
        ("phone=12", "phone DigitCount { digits: 2 }"),
        ("email=no-at-sign", "email NoAtSign"),
        (
            &format!("first={long}"),
            "firstName TooLong { bytes: 4097, limit: 4096 }",
        ),
        (
            &format!("last={long}"),
            "lastName TooLong { bytes: 4097, limit: 4096 }",
        ),
        (
            &format!("lang={long}"),
            "languageCode TooLong { bytes: 4097, limit: 4096 }",
        ),
        (
            &format!("zone={long}"),
            "timeZone TooLong { bytes: 4097, limit: 4096 }",
        ),
        // The custom ones in the byte order of their names.
        (
            &format!("a:={long}"),
            "fieldValue TooLong { bytes: 4097, limit: 4096 }",
        ),
        ("b\u{200B}:=x", "fieldName ForbiddenCharacter"),
    ];
    let mut lines = String::new();
    for at in 0..faults.len() {
        // Given backwards.
        let words: Vec<&str> = faults[at..].iter().rev().map(|(word, _)| *word).collect();
        let (words, fault) = (words.join(" "), faults[at].1);
        lines.push_str(&format!("upsert phone : {words} => refused {fault}\n"));
    }
    script(&lines);
}

#[test]
fn entries_and_text_of_a_request_are_limited() {
    script_with(
        |options| options.limits.entries_per_request = 2,
        "
        upsert phone : phone=380500000001 | phone=380500000002 => 1 created | 2 created
        upsert phone : phone=380500000003 | phone=380500000004 | phone=380500000005 => error EntriesPerRequest 3 of 2
    ",
    );
    // Values as they are given, and names of custom fields.
    let (store, _) = store_with(|options| options.limits.request_text_bytes = 40);
    let item = |city: &str| {
        ContactUpdate::new()
            .phone("+380500000001")
            .email(ValueChange::Remove)
            .external_customer_id("crm-1")
            .first_name("Ann")
            .last_name("Lee")
            .language_code("uk")
            .time_zone("+02")
            .field("city", city)
    };
    let upsert = |city: &str| {
        store
            .upsert(Upsert::new(DedupeOn::Phone).contact(item(city)))
            .wait()
    };
    match upsert("Kyivxyz89") {
        Err(Error::LimitExceeded(LimitExceeded {
            limit,
            actual,
            most,
            ..
        })) => {
            assert_eq!((limit, actual, most), (Limit::RequestTextBytes, 42, 40));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.snapshot().unwrap().contact_count(), 0);
    assert_eq!(upsert("Kyivxyz").unwrap().outcome.len(), 1);
}

#[test]
fn r52_what_refuses_an_item_does_not_show_it() {
    let (store, _) = store_with(|_| {});
    let item = ContactUpdate::new()
        .phone("secret")
        .field("secret", "secret");
    let outcome = store
        .upsert(Upsert::new(DedupeOn::Phone).contact(item))
        .wait()
        .unwrap()
        .outcome;
    match &outcome[..] {
        [Err(EntryError::Field(error))] => {
            assert_eq!(
                (error.field(), error.fault()),
                (Field::Phone, &Fault::NotADigit)
            );
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        other => panic!("{other:?}"),
    }
}
