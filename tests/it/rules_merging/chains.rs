//! Merges of merges, taken apart in any order.

use contact_store::{
    AddTokens, Card, ContactId, ContactStore, ContactUpdate, DedupeOn, Merge, TokenEntry, Upsert,
};

use crate::support::place;
use crate::support::random::Random;
use crate::support::script::script;
use crate::support::{APP, OTHER_APP, assert_sound, at, id, store_with};

#[test]
fn r58_ids_that_led_to_a_contact_lead_to_it_again() {
    script(
        "
        add A at=100 : a ext=c1 | b ext=c2 | c ext=c3 => 1 created added #1 | 2 created added #2
            | 3 created added #3
        merge 1 2 => 1 into 2 kept=ext tokens=#1
        merge 2 3 => 2 into 3 kept=ext tokens=#2,#1 ids=1
        card 1 => 3 ext=c3 created 100 via A [A:c#3@100 A:b#2@100 A:a#1@100]
        merged 3 => 1@1000 ext | 2@1000 ext
        unmerge 2 => 2 from 3 gets=ext tokens=#2,#1 ids=1
        card 1 => 2 ext=c2 created 100 via A [A:b#2@100 A:a#1@100]
        merged 2 => 1@1000 ext
        unmerge 1 => 1 from 2 gets=ext tokens=#1
        card 1 => 1 ext=c1 created 100 via A [A:a#1@100]
    ",
    );
}

#[test]
fn r58_a_contact_that_came_through_another_is_taken_out_alone() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann => 1 created
        upsert email : email=ann@example.com => 2 created
        upsert externalCustomerId : ext=c3 => 3 created
        add A at=100 : a phone=380500000001 | b email=ann@example.com => 1 by phone added #1 | 2 by email added #2
        merge 1 2 => 1 into 2 gets=phone fields=first tokens=#1
        merge 2 3 => 2 into 3 gets=phone,email fields=first tokens=#2,#1 ids=1
        unmerge 1 => 1 from 3 gets=phone fields=first tokens=#1
        card 3 => 3 ext=c3 email=ann@example.com created 1000 [A:b#2@100]
        // What the other had only from it is not there any more.
        unmerge 2 => 2 from 3 gets=email tokens=#2
        card 2 => 2 email=ann@example.com created 1000 [A:b#2@100]
        card 3 => 3 ext=c3 created 1000 []
    ",
    );
}

#[test]
fn r58_r44_what_was_taken_out_and_erased_does_not_come_back_with_another() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann => 1 created
        upsert email : email=ann@example.com => 2 created
        upsert externalCustomerId : ext=c3 phone=380500000003 => 3 created
        merge 1 2 => 1 into 2 gets=phone fields=first
        merge 2 3 => 2 into 3 gets=email kept=phone fields=first ids=1
        unmerge 1 => 1 from 3 gets=phone fields=first
        erase 1 => true
        unmerge 2 => 2 from 3 gets=email
        card 2 => 2 email=ann@example.com created 1000 []
        card 3 => 3 ext=c3 phone=380500000003 created 1000 []
    ",
    );
}

#[test]
fn r58_a_token_that_several_had_stays_for_the_others() {
    script(
        "
        add A at=100 : t ext=c1 => 1 created added #1
        add A at=200 : t ext=c2 => 2 created added #1 also=1
        add A at=300 : u ext=c3 => 3 created added #2
        merge 1 3 => 1 into 3 kept=ext tokens=#1
        merge 2 3 => 2 into 3 kept=ext shared=#1
        subscriber A t => #1 A:t of 3 registered 200 sent 0 failed 0 clicked 0 last -
        unmerge 1 => 1 from 3 gets=ext tokens=#1
        subscriber A t => #1 A:t of 1,3 registered 200 sent 0 failed 0 clicked 0 last -
        unmerge 2 => 2 from 3 gets=ext tokens=#1
        card 1 => 1 ext=c1 created 100 via A [A:t#1@100]
        card 2 => 2 ext=c2 created 200 via A [A:t#1@200]
        card 3 => 3 ext=c3 created 300 via A [A:u#2@300]
        subscriber A t => #1 A:t of 1,2 registered 200 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r58_contacts_may_be_merged_in_a_circle() {
    script(
        "
        add A : a ext=c1 | b ext=c2 => 1 created added #1 | 2 created added #2
        merge 1 2 => 1 into 2 kept=ext tokens=#1
        merge 2 1 => error IntoItself 2
        unmerge 1 => 1 from 2 gets=ext tokens=#1
        merge 2 1 => 2 into 1 kept=ext tokens=#2
        card 2 => 1 ext=c1 created 1000 via A [A:a#1@1000 A:b#2@1000]
        unmerge 2 => 2 from 1 gets=ext tokens=#2
        merge 1 2 => 1 into 2 kept=ext tokens=#1
        unmerge 1 => 1 from 2 gets=ext tokens=#1
    ",
    );
}

const CONTACTS: usize = 6;

/// Contacts that share tokens, some with the same fields, some without an email.
fn contacts(random: &mut Random) -> ContactStore {
    let (store, clock) = store_with(|_| {});
    clock.set(at(1_000_000));
    for n in 1..=CONTACTS {
        let mut update = ContactUpdate::new().external_customer_id(format!("c{n}"));
        if random.coin() {
            update = update.email(format!("{n}@example.com"));
        }
        if random.coin() {
            update = update.phone(format!("38050000000{n}"));
        }
        for field in ["city", "plan"] {
            if random.coin() {
                update = update.field(field, format!("{}", random.below(2)));
            }
        }
        let request = Upsert::new(DedupeOn::ExternalCustomerId).contact(update);
        store.upsert(request).wait().unwrap();
        for _ in 0..random.below(5) {
            let app = if random.coin() { APP } else { OTHER_APP };
            let entry = TokenEntry::new(format!("t{}", random.below(5)));
            let entry = entry.external_customer_id(format!("c{n}"));
            let time = at(100 + random.number() % 50);
            store
                .add_tokens(AddTokens::new(app).entry(entry).at(time))
                .wait()
                .unwrap();
        }
    }
    store
}

fn contact(random: &mut Random) -> ContactId {
    id(1 + random.below(CONTACTS) as u64)
}

fn cards(store: &ContactStore) -> Vec<Card> {
    let now = store.snapshot().unwrap();
    now.contacts(None, 100).unwrap()
}

/// Every subscriber, and who holds it, in any order.
fn holders(store: &ContactStore) -> Vec<(u64, Vec<ContactId>)> {
    let now = store.snapshot().unwrap();
    let all = [APP, OTHER_APP].map(|app| now.subscribers(app, None, 100).unwrap());
    let all = all.into_iter().flatten().map(|subscriber| {
        let mut contacts = subscriber.contacts.into_vec();
        contacts.sort();
        (subscriber.id.value(), contacts)
    });
    all.collect()
}

#[test]
fn r58_taken_apart_in_any_order_all_contacts_are_as_they_were() {
    let mut random = Random(58);
    for case in 0..place::share(60, 8) {
        let store = contacts(&mut random);
        let before = (cards(&store), holders(&store));
        for _ in 0..12 {
            let (one, other) = (contact(&mut random), contact(&mut random));
            // Some are refused: not merged, or into itself.
            let done = match random.below(3) {
                0 => store.unmerge(one).wait().map(|done| {
                    let not = done.outcome.not_given_back;
                    assert!(not.is_empty(), "case {case}: {not:?}");
                }),
                _ => store.merge(Merge::new(one, other)).wait().map(drop),
            };
            drop(done);
        }
        let mut left: Vec<ContactId> = (1..=CONTACTS as u64).map(id).collect();
        while !left.is_empty() {
            let contact = left.swap_remove(random.below(left.len()));
            if let Ok(done) = store.unmerge(contact).wait() {
                let not = done.outcome.not_given_back;
                assert!(not.is_empty(), "case {case}: {not:?}");
            }
            assert_sound(&store);
        }
        assert_eq!(cards(&store), before.0, "case {case}");
        assert_eq!(holders(&store), before.1, "case {case}");
    }
}
