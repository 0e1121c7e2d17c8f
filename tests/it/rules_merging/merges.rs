//! Merging.

use contact_store::{ContactId, ContactUpdate, DedupeOn, Error, Limit, Merge, Upsert};

use crate::support::script::{script, script_with};
use crate::support::{assert_sound, id, store};

#[test]
fn r58_everything_goes_to_the_contact_that_stays() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann city:=Kyiv => 1 created
        upsert email : email=ann@example.com ext=c1 first=Anna last=Lee plan:=free => 2 created
        add A at=300 : b phone=380500000001 => 1 by phone added #1
        add A at=200 : a email=ann@example.com => 2 by email added #2
        add B at=400 : c email=ann@example.com => 2 by email added #2.1
        merge 2 1 => 2 into 1 gets=ext,email fields=last,plan: kept_fields=first tokens=#2,#2.1
        // In the order in which they were added.
        card 1 => 1 ext=c1 phone=380500000001 email=ann@example.com first=\"Ann\" last=\"Lee\" city:=\"Kyiv\" plan:=\"free\" created 1000 [A:a#2@200 A:b#1@300 B:c#2.1@400]
        contacts => 1
        subscriber #2   => #2 A:a of 1 registered 200 sent 0 failed 0 clicked 0 last -
        subscriber #2.1 => #2.1 B:c of 1 registered 400 sent 0 failed 0 clicked 0 last -
        apps => A \"First bot\" since 1000 subscribers 2 contacts 1 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
        merged 1 => 2@1000 ext,email
        merged 2 => 2@1000 ext,email
        merged 3 =>
    ",
    );
}

#[test]
fn r58_of_what_both_have_that_of_the_other_is_kept_and_its_identifiers_are_free() {
    script(
        "
        upsert phone : phone=380500000001 email=ann@example.com first=Ann => 1 created
        upsert phone : phone=380500000002 email=anna@example.com first=Anna => 2 created
        merge 2 1 => 2 into 1 kept=phone,email kept_fields=first
        card 1 => 1 phone=380500000001 email=ann@example.com first=\"Ann\" created 1000 []
        find email=anna@example.com => none
        upsert email : email=anna@example.com => 3 created
    ",
    );
}

#[test]
fn r58_a_token_that_both_hold_is_held_once_and_holders_keep_their_places() {
    script(
        "
        add A at=100 : t ext=c1 => 1 created added #1
        add A at=200 : t ext=c2 => 2 created added #1 also=1
        add A at=300 : t ext=c3 | u ext=c1 => 3 created added #1 also=1,2 | 1 by ext added #2
        merge 1 3 => 1 into 3 kept=ext tokens=#2 shared=#1
        card 3 => 3 ext=c3 created 300 via A [A:t#1@300 A:u#2@300]
        subscriber A t => #1 A:t of 2,3 registered 300 sent 0 failed 0 clicked 0 last -
        subscriber A u => #2 A:u of 3 registered 300 sent 0 failed 0 clicked 0 last -
        add A at=400 : u ext=c4 => 4 created added #2 also=3
        merge 3 4 => 3 into 4 kept=ext tokens=#1 shared=#2 ids=1
        subscriber A t => #1 A:t of 2,4 registered 300 sent 0 failed 0 clicked 0 last -
        // Of equal times, those of the contact that stays come first.
        card 4 => 4 ext=c4 created 400 via A [A:t#1@300 A:u#2@400]
    ",
    );
}

#[test]
fn r58_of_tokens_with_equal_times_those_of_the_contact_that_stays_come_first() {
    script(
        "
        add A at=100 : a ext=c1 | b ext=c1 | c ext=c2 | d ext=c2
            => 1 created added #1 | 1 by ext added #2 | 2 created added #3 | 2 by ext added #4
        merge 1 2 => 1 into 2 kept=ext tokens=#1,#2
        card 2 => 2 ext=c2 created 100 via A [A:c#3@100 A:d#4@100 A:a#1@100 A:b#2@100]
    ",
    );
}

#[test]
fn r58_r14_the_old_id_leads_to_the_contact_that_stays() {
    script(
        "
        add A : t ext=c1 | u ext=c2 => 1 created added #1 | 2 created added #2
        add A : v id=7 => 7 created added #3
        merge 2 1 => 2 into 1 kept=ext tokens=#2
        merge 7 2 => 7 into 1 tokens=#3
        card 2 => 1 ext=c1 created 1000 via A [A:t#1@1000 A:u#2@1000 A:v#3@1000]
        find id=7 => 1 by id
        find policy=top id=2 ext=c9 => 1 by id
        explain id=2 ext=c9 => id:1 ext:-; cascade appends to 1 by id; top appends to 1 by id
        add A : w id=2 => 1 by id added #4
        add A policy=top : w id=7 ext=c9 => 1 by id held #4
        upsert contactId : id=2 first=Ann => 1 by id updated
        // It is not in the way of the contact that it leads to, and is of any other.
        upsert externalCustomerId : ext=c1 id=7 last=Lee => 1 by ext updated
        upsert email : email=ben@example.com id=7 => refused Conflict id 1
        remove A u of=2 => from 1
        remove A u of=2 => from -
        // Never assigned, never adopted.
        add A : x ext=c5 => 3 created added #5
        erase 7 => true
        card 1 => none
        add A : x id=7 => refused ContactIdErased(ContactId(7))
        add A : x id=2 => refused ContactIdErased(ContactId(2))
    ",
    );
}

#[test]
fn r58_what_cannot_be_merged_is_refused_and_nothing_is_written() {
    script(
        "
        add A : t ext=c1 | u ext=c2 | v ext=c3
            => 1 created added #1 | 2 created added #2 | 3 created added #3
        merge 1 1 => error IntoItself 1
        merge 4 1 => error UnknownContact 4
        merge 1 4 => error UnknownContact 4
        merge 2 1 => 2 into 1 kept=ext tokens=#2
        merge 2 1 => error IntoItself 1
        merge 1 2 => error IntoItself 1
        erase 3 => true
        merge 3 1 => error ErasedContact 3
        merge 1 3 => error ErasedContact 3
        merge 1 3 => error ErasedContact 3
    ",
    );
}

#[test]
fn r58_a_merge_over_a_limit_of_the_card_is_refused() {
    script_with(
        |options| options.limits.tokens_per_contact = 2,
        "
        add A : t ext=c1 | u ext=c1 | v ext=c2
            => 1 created added #1 | 1 by ext added #2 | 2 created added #3
        merge 2 1 => error TokensPerContact 3 of 2
        remove A u => from 1
        merge 2 1 => 2 into 1 kept=ext tokens=#3
    ",
    );
    script_with(
        |options| options.limits.card_text_bytes = 20,
        "
        upsert email : email=ann@example.com => 1 created
        upsert phone : phone=380500000001 => 2 created
        merge 2 1 => error CardTextBytes 27 of 20
    ",
    );
    script_with(
        |options| options.limits.custom_fields_per_contact = 1,
        "
        upsert email : email=ann@example.com a:=1 => 1 created
        upsert phone : phone=380500000001 b:=1 => 2 created
        merge 2 1 => error CustomFieldsPerContact 2 of 1
    ",
    );
}

#[test]
fn r58_at_most_256_contacts_are_merged_into_one() {
    let (store, _) = store();
    let update = |n: u64| ContactUpdate::new().external_customer_id(format!("c{n}"));
    let request = Upsert::new(DedupeOn::ExternalCustomerId).contacts((1..=260).map(update));
    store.upsert(request).wait().unwrap();
    let merge = |from, into| store.merge(Merge::new(id(from), id(into))).wait();
    // Those that came through others count.
    for n in 2..=4 {
        merge(n, 1).unwrap();
    }
    for n in 6..=257 {
        merge(n, 5).unwrap();
    }
    merge(1, 5).unwrap();
    let full = |merged: Result<_, Error>| match merged {
        Err(Error::LimitExceeded(over)) => {
            assert_eq!(over.limit, Limit::MergesPerContact);
            assert_eq!((over.actual, over.most), (257, 256));
        }
        other => panic!("{other:?}"),
    };
    full(merge(258, 5));
    full(merge(5, 258));
    let inside = store.snapshot().unwrap().merged_contacts(id(5)).unwrap();
    let ids: Vec<u64> = inside.iter().map(|merged| merged.id.value()).collect();
    let expected: Vec<u64> = (1..=257).filter(|n| *n != 5).collect();
    assert_eq!(ids, expected);
    // However many merges ago, it is one step.
    let card = store.snapshot().unwrap().contact(id(2)).unwrap();
    assert_eq!(card.map(|card| card.id), ContactId::new(5).ok());
    store.unmerge(id(1)).wait().unwrap();
    merge(258, 5).unwrap();
    assert_sound(&store);
    store.erase(id(5)).wait().unwrap();
    assert_sound(&store);
}

#[test]
fn r58_r44_erasing_the_contact_erases_what_is_kept_of_those_merged_into_it() {
    script(
        "
        upsert phone : phone=380500000001 email=ann@example.com => 1 created
        upsert phone : phone=380500000002 email=anna@example.com => 2 created
        upsert phone : phone=380500000003 => 3 created
        merge 3 2 => 3 into 2 kept=phone
        merge 2 1 => 2 into 1 kept=phone,email ids=3
        erase 3 => true
        unmerge 2 => error ErasedContact 2
        unmerge 3 => error ErasedContact 3
        unmerge 1 => error ErasedContact 1
        merged 1 =>
        upsert email : email=anna@example.com => 4 created
    ",
    );
}

#[test]
fn r58_r11_tokens_of_a_disconnected_app_are_not_named() {
    script(
        "
        add A at=100 : t ext=c1 | u ext=c2 => 1 created added #1 | 2 created added #2
        add B at=100 : v ext=c2 => 2 by ext added #2.1
        disconnect A => done
        merge 2 1 => 2 into 1 kept=ext tokens=#2.1
        unmerge 2 => 2 from 1 gets=ext tokens=#2.1
        card 1 => 1 ext=c1 created 100 via A []
        card 2 => 2 ext=c2 created 100 via A [B:v#2.1@100]
    ",
    );
}
