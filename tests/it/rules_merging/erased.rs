//! What an erase takes out of the records of merges: R44, R58, R65.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;

use contact_store::{
    ContactStore, ContactUpdate, DedupeOn, Erase, IdentifierKind, KindSet, Merge, Split, Upsert,
    ValueChange,
};

use crate::support::raw::row_counts;
use crate::support::script::script;
use crate::support::{assert_sound, id, options};

#[test]
fn r44_r58_an_identifier_that_was_split_off_and_erased_is_not_given_back() {
    script(
        "
        upsert phone : phone=380500000001 => 1 created
        upsert email : email=ann@example.com ext=c2 => 2 created
        merge 2 1 => 2 into 1 gets=ext,email
        split 2 email => 3 from 1 gets=email
        merged 1 => 2@1000 ext,email
        erase 3 => true
        merged 1 => 2@1000 ext
        unmerge 2 => 2 from 1 gets=ext erased=email
        card 2 => 2 ext=c2 created 1000 []
        // It is free.
        upsert email : email=ann@example.com => 4 created
    ",
    );
}

#[test]
fn r44_r58_an_identifier_that_another_contact_took_by_any_order_is_erased_with_it() {
    script(
        "
        upsert phone : phone=380500000001 => 1 created
        upsert phone : phone=380500000002 ext=c2 email=ann@example.com => 2 created
        merge 2 1 => 2 into 1 gets=ext,email kept=phone
        // What was kept is free at once, and what went over once it is taken off or replaced.
        add A : t phone=380500000002 => 3 created added #1
        upsert phone : phone=380500000001 email=null => 1 by phone updated
        upsert email : email=ann@example.com => 4 created
        erase 3 => true
        erase 4 => true
        unmerge 2 => 2 from 1 gets=ext erased=phone,email
        card 2 => 2 ext=c2 created 1000 []
    ",
    );
}

#[test]
fn r44_r58_every_record_loses_it_those_of_other_contacts_too() {
    script(
        "
        upsert externalCustomerId : ext=c1 email=ann@example.com => 1 created
        upsert externalCustomerId : ext=c2 => 2 created
        upsert externalCustomerId : ext=c3 => 3 created
        upsert externalCustomerId : ext=c4 => 4 created
        // In the records of 1 and of 2.
        merge 1 2 => 1 into 2 gets=email kept=ext
        merge 2 3 => 2 into 3 gets=email kept=ext ids=1
        split 3 email => 5 from 3 gets=email
        // In the record of 5, which 4 has.
        merge 5 4 => 5 into 4 gets=email
        split 4 email => 6 from 4 gets=email
        merged 3 => 1@1000 ext,email | 2@1000 ext,email
        merged 4 => 5@1000 email
        erase 6 => true
        merged 3 => 1@1000 ext | 2@1000 ext
        merged 4 => 5@1000
        unmerge 5 => 5 from 4 erased=email
        unmerge 1 => 1 from 3 gets=ext erased=email
        unmerge 2 => 2 from 3 gets=ext erased=email
        // Said once: a merge begins a new record.
        merge 2 3 => 2 into 3 kept=ext
        unmerge 2 => 2 from 3 gets=ext
    ",
    );
}

#[test]
fn r44_r58_what_is_kept_in_the_records_of_the_erased_contact_goes_unless_another_has_it() {
    script(
        "
        upsert externalCustomerId : ext=c1 => 1 created
        upsert phone : ext=c2 email=ann@example.com phone=380500000002 => 2 created
        merge 2 1 => 2 into 1 gets=phone,email kept=ext
        split 1 phone,email => 3 from 1 gets=phone,email
        upsert email : email=ben@example.com phone=380500000004 => 4 created
        // Neither has what is kept of 3.
        merge 3 4 => 3 into 4 kept=phone,email
        upsert phone : phone=380500000002 => 5 created
        erase 4 => true
        merged 1 => 2@1000 ext,phone
        unmerge 2 => 2 from 1 gets=ext not=phone:5 erased=email
    ",
    );
}

#[test]
fn r44_r58_what_the_erased_contact_no_longer_had_stays_in_the_records_of_others() {
    script(
        "
        upsert externalCustomerId : ext=c1 => 1 created
        upsert externalCustomerId : ext=c2 email=ann@example.com => 2 created
        merge 2 1 => 2 into 1 gets=email kept=ext
        split 1 email => 3 from 1 gets=email
        upsert email : email=ann@example.com phone=380500000003 => 3 by email updated
        upsert phone : phone=380500000003 email=ben@example.com => 3 by phone updated
        erase 3 => true
        unmerge 2 => 2 from 1 gets=ext,email
    ",
    );
}

#[test]
fn r65_r58_a_suppressed_identifier_is_not_given_back_not_even_when_that_is_lifted() {
    script(
        "
        upsert externalCustomerId : ext=c1 => 1 created
        upsert externalCustomerId : ext=c2 email=ann@example.com => 2 created
        merge 2 1 => 2 into 1 gets=email kept=ext
        split 1 email => 3 from 1 gets=email
        erase 3 suppress => true email
        merged 1 => 2@1000 ext
        lift email=ann@example.com => email
        unmerge 2 => 2 from 1 gets=ext erased=email
    ",
    );
}

const TEXT: &str = "ann@example.com";
const NUMBER: u64 = 380_500_000_002;

/// Contact 2 is in 1, and what it had is with 3.
fn split_off(store: &ContactStore) {
    let one = ContactUpdate::new().external_customer_id("c1");
    let other = ContactUpdate::new().external_customer_id("c2");
    let other = other.email(TEXT).phone(NUMBER.to_string());
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId);
    store.upsert(upsert.contacts([one, other])).wait().unwrap();
    store.merge(Merge::new(id(2), id(1))).wait().unwrap();
    let split = Split::new(id(1)).identifier(IdentifierKind::Email);
    let split = split.identifier(IdentifierKind::Phone);
    assert_eq!(store.split(split).wait().unwrap().outcome.contact, id(3));
}

#[test]
fn r44_r67_the_text_of_an_erased_identifier_is_in_no_record_of_a_merge() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    split_off(&store);
    let found = || {
        let bytes = fs::read(&path).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        (has(TEXT.as_bytes()), has(&NUMBER.to_le_bytes()))
    };
    let vacuum = || store.vacuum(|_| ControlFlow::Continue(())).unwrap();
    vacuum();
    assert_eq!(found(), (true, true));
    store.erase(Erase::new(id(3))).wait().unwrap();
    vacuum();
    assert_eq!(found(), (false, false));
    let unmerged = store.unmerge(id(2)).wait().unwrap().outcome;
    let gone: KindSet = [IdentifierKind::Email, IdentifierKind::Phone]
        .into_iter()
        .collect();
    assert_eq!(unmerged.not_given_back.erased, gone);
    assert_eq!(unmerged.not_given_back.identifiers, []);
    assert_sound(&store);
}

#[test]
fn r44_the_rows_that_lead_to_merged_contacts_are_made_by_merges_and_go_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let counted = || -> BTreeMap<String, u64> { row_counts(&fs::read(&path).unwrap()) };
    let leading = || counted().get("merge_identifiers").copied();
    let with = |change: &dyn Fn(&ContactStore)| {
        let store = ContactStore::open(&path, options().0).unwrap();
        change(&store);
        assert_sound(&store);
        store.close().unwrap();
        leading()
    };
    let taken_off = |store: &ContactStore| {
        let update = ContactUpdate::new().external_customer_id("c1");
        let update = update.email(ValueChange::Remove);
        let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(update);
        store.upsert(upsert).wait().unwrap();
    };
    let update = |n: u64| ContactUpdate::new().external_customer_id(format!("d{n}"));
    let erased = |store: &ContactStore| {
        let upsert = Upsert::new(DedupeOn::ExternalCustomerId);
        store.upsert(upsert.contacts([update(1)])).wait().unwrap();
        assert!(store.erase(id(1)).wait().unwrap().outcome.erased);
    };
    assert_eq!(with(&erased), None);
    let merged = |store: &ContactStore| {
        let both = [2, 3].map(|n| update(n).email(format!("{n}@example.com")));
        let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contacts(both);
        store.upsert(upsert).wait().unwrap();
        store.merge(Merge::new(id(2), id(3))).wait().unwrap();
    };
    assert_eq!(with(&merged), Some(2));
    assert_eq!(with(&taken_off), Some(2));
    let taken_out = |store: &ContactStore| drop(store.unmerge(id(2)).wait().unwrap());
    assert_eq!(with(&taken_out), Some(0));
    let merged_again = |store: &ContactStore| {
        store.merge(Merge::new(id(2), id(3))).wait().unwrap();
    };
    assert_eq!(with(&merged_again), Some(2));
    let erased = |store: &ContactStore| {
        assert!(store.erase(id(3)).wait().unwrap().outcome.erased);
    };
    assert_eq!(with(&erased), Some(0));
}
