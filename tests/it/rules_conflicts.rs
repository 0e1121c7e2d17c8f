//! The list of conflicts: R61.

use contact_store::{
    AddTokens, Conflict, ContactUpdate, DedupeOn, Error, IdentifierKind, KindSet, Limit,
    LimitExceeded, Merge, Options, TokenEntry, Upsert, limits,
};

use crate::support::script::{script, script_with};
use crate::support::{APP, add, assert_sound, id, store_with};

fn listing(most: usize) -> impl Fn(&mut Options) {
    move |options| options.conflicts = most
}

#[test]
fn r61_r15_a_token_that_goes_to_one_contact_while_others_are_named_leaves_a_pair_for_each() {
    script_with(
        listing(10),
        "
        add A : t email=a@x.com  => 1 created added #1
        add A : u phone=380500000001 => 2 created added #2
        add A : v ext=c1         => 3 created added #3
        conflicts                =>
        clock 2000
        add A : v ext=c1 phone=380500000001 email=a@x.com => 3 by ext held #3
        conflicts => 1 email, 3 ext x1 2000..2000 | 2 phone, 3 ext x1 2000..2000
        // Again, under another kind and at another time.
        clock 3000
        add A at=1500 : u phone=380500000001 email=a@x.com => 2 by phone held #2
        add A : u id=1 phone=380500000001 => 1 by id added #2 also=2
        conflicts => 1 id,email, 2 phone x2 1500..3000 | 1 email, 3 ext x1 2000..2000
            | 2 phone, 3 ext x1 2000..2000
        conflicts limit=1 => 1 id,email, 2 phone x2 1500..3000
        conflicts after=1-2 limit=1 => 1 email, 3 ext x1 2000..2000
        conflicts after=2-1 => 2 phone, 3 ext x1 2000..2000
        conflicts after=2-3 =>
        // Nobody has the phone: nothing is in conflict.
        add A : t ext=c1 phone=380500000009 => 3 by ext added #1 also=1
        // All name one contact.
        upsert email : email=a@x.com phone=380500000008 => 1 by email updated
        add A : t phone=380500000008 email=a@x.com => 1 by phone held #1 also=3
        conflicts after=1-2 => 1 email, 3 ext x1 2000..2000 | 2 phone, 3 ext x1 2000..2000
    ",
    );
}

#[test]
fn r61_one_entry_that_names_another_contact_twice_counts_once() {
    script_with(
        listing(10),
        "
        upsert email : email=a@x.com phone=380500000001 => 1 created
        add A : v ext=c1 => 2 created added #1
        add A : v ext=c1 phone=380500000001 email=a@x.com => 2 by ext held #1
        conflicts => 1 phone,email, 2 ext x1 1000..1000
    ",
    );
}

#[test]
fn r61_r17_identifiers_that_are_skipped_leave_a_pair_with_the_contact_created() {
    script_with(
        listing(10),
        "
        add A : t email=a@x.com => 1 created added #1
        add A policy=top : u ext=c1 phone=380500000001 email=a@x.com
            => 2 created added #2 skipped=email
        conflicts => 1 email, 2 ext,phone x1 1000..1000
        // R14: found by the kind of the highest priority.
        add A policy=top : u ext=c1 email=a@x.com => 2 by ext held #2
        conflicts => 1 email, 2 ext,phone x2 1000..1000
    ",
    );
}

#[test]
fn r61_r42_an_item_refused_with_a_conflict_leaves_the_pair_and_takes_a_number_for_it() {
    script_with(
        listing(10),
        "
        upsert email : email=a@x.com | email=b@x.com => 1 created | 2 created
        upsert phone : phone=380500000001 => 3 created
        upsert email : email=a@x.com phone=380500000001 first=Ann => refused Conflict phone 3
        conflicts => 1 email, 3 phone x1 1000..1000
        // It found no contact, so there is none to be paired.
        upsert externalCustomerId : ext=c1 phone=380500000001 => refused Conflict phone 3
        // The contact found has another external id: the two are one contact.
        upsert externalCustomerId : ext=c2 email=c@x.com => 4 created
        upsert email : ext=c3 email=c@x.com => refused Conflict ext 4
        // Not a conflict, but not wanted.
        upsert email only=create : email=a@x.com phone=380500000001 => refused ContactExists(ContactId(1))
        conflicts => 1 email, 3 phone x1 1000..1000
        // R23: one item of several, and a request that is refused as a whole.
        upsert email : email=b@x.com phone=380500000001 | email=b@x.com first=Ben
            => refused Conflict phone 3 | 2 by email updated
        upsert email mode=all : email=b@x.com phone=380500000001
            => error EntryRefused 0: Conflict phone 3
        conflicts => 1 email, 3 phone x1 1000..1000 | 2 email, 3 phone x1 1000..1000
    ",
    );
}

#[test]
fn r61_with_the_option_off_nothing_is_listed_and_a_refused_item_takes_no_number() {
    script(
        "
        add A : t email=a@x.com => 1 created added #1
        add A : u phone=380500000001 => 2 created added #2
        add A : u phone=380500000001 email=a@x.com => 2 by phone held #2
        upsert email : email=a@x.com phone=380500000001 => refused Conflict phone 2
        conflicts    =>
        dismiss 1 2  => not listed
    ",
    );
}

#[test]
fn r61_a_pair_is_dismissed_in_any_order_and_comes_again() {
    script_with(
        listing(10),
        "
        add A : t email=a@x.com => 1 created added #1
        add A : u phone=380500000001 => 2 created added #2
        dismiss 1 2  => not listed
        add A : u phone=380500000001 email=a@x.com => 2 by phone held #2
        dismiss 1 1  => not listed
        dismiss 1 77 => not listed
        dismiss 2 1  => done
        dismiss 2 1  => not listed
        conflicts    =>
        add A : u phone=380500000001 email=a@x.com => 2 by phone held #2
        conflicts    => 1 email, 2 phone x1 1000..1000
    ",
    );
}

#[test]
fn r61_r58_a_merge_ends_the_pair_and_moves_the_others_and_an_unmerge_gives_none_back() {
    script_with(
        listing(10),
        "
        upsert email : email=a@x.com => 1 created
        upsert phone : phone=380500000001 => 2 created
        upsert externalCustomerId : ext=c1 => 3 created
        upsert externalCustomerId : ext=c4 => 4 created
        upsert email : email=a@x.com phone=380500000001 => refused Conflict phone 2
        upsert externalCustomerId : ext=c1 email=a@x.com => refused Conflict email 1
        upsert externalCustomerId : ext=c1 phone=380500000001 => refused Conflict phone 2
        upsert externalCustomerId : ext=c4 phone=380500000001 => refused Conflict phone 2
        conflicts => 1 email, 2 phone x1 1000..1000 | 1 email, 3 ext x1 1000..1000
            | 2 phone, 3 ext x1 1000..1000 | 2 phone, 4 ext x1 1000..1000
        merge 2 1 => 2 into 1 gets=phone
        conflicts => 1 phone,email, 3 ext x2 1000..1000 | 1 phone, 4 ext x1 1000..1000
        // The id leads there.
        dismiss 2 4 => done
        dismiss 2 1 => not listed
        unmerge 2 => 2 from 1 gets=phone
        conflicts => 1 phone,email, 3 ext x2 1000..1000
        merge 1 3 => 1 into 3 gets=email
        conflicts =>
    ",
    );
}

#[test]
fn r61_r44_an_erased_contact_is_in_no_pair() {
    script_with(
        listing(10),
        "
        upsert email : email=a@x.com => 1 created
        upsert phone : phone=380500000001 => 2 created
        upsert externalCustomerId : ext=c1 => 3 created
        upsert externalCustomerId : ext=c1 phone=380500000001 => refused Conflict phone 2
        upsert email : email=a@x.com phone=380500000001 => refused Conflict phone 2
        upsert externalCustomerId : ext=c1 email=a@x.com => refused Conflict email 1
        erase 2 => true
        conflicts => 1 email, 3 ext x1 1000..1000
        erase 3 => true
        conflicts =>
    ",
    );
}

#[test]
fn r61_when_the_list_is_full_a_new_pair_is_not_listed_and_one_that_is_there_counts_on() {
    script_with(
        listing(1),
        "
        upsert email : email=a@x.com | email=b@x.com => 1 created | 2 created
        upsert phone : phone=380500000001 => 3 created
        upsert email : email=b@x.com phone=380500000001 => refused Conflict phone 3
        upsert email : email=a@x.com phone=380500000001 => refused Conflict phone 3
        upsert email : email=b@x.com phone=380500000001 => refused Conflict phone 3
        conflicts   => 2 email, 3 phone x2 1000..1000
        dismiss 3 2 => done
        upsert email : email=a@x.com phone=380500000001 => refused Conflict phone 3
        conflicts   => 1 email, 3 phone x1 1000..1000
    ",
    );
}

#[test]
fn r61_the_stats_say_how_many_are_listed_may_be_and_were_not_listed() {
    let (store, _) = store_with(listing(1));
    let counts = || {
        let stats = store.stats().unwrap();
        let (listed, most) = (stats.conflicts, stats.most_conflicts);
        (listed, most, stats.conflicts_not_kept)
    };
    add(&store, TokenEntry::new("a").email("a@x.com"));
    add(&store, TokenEntry::new("b").phone("380500000001"));
    add(&store, TokenEntry::new("c").external_customer_id("c1"));
    assert_eq!(counts(), (0, 1, 0));
    let all = TokenEntry::new("c")
        .external_customer_id("c1")
        .phone("380500000001")
        .email("a@x.com");
    let before = store.stats().unwrap().sequence;
    add(&store, all.clone());
    assert_eq!(counts(), (1, 1, 1));
    // A request that is refused as a whole counts nothing.
    let mode = contact_store::BatchMode::AllOrNothing;
    let request = AddTokens::new(APP).entry(all).mode(mode);
    let refused = request.entry(TokenEntry::without_token());
    assert!(matches!(
        store.add_tokens(refused).wait(),
        Err(Error::EntryRefused { index: 1, .. })
    ));
    assert_eq!(counts(), (1, 1, 1));
    // An item for which there is no room is no change.
    let item = ContactUpdate::new().email("a@x.com").phone("380500000001");
    let refused = Upsert::new(DedupeOn::Email).contact(item);
    let after = store.upsert(refused).wait().unwrap().sequence;
    assert_eq!(after.value(), before.value() + 1);
    assert_eq!(counts(), (1, 1, 2));
    store.merge(Merge::new(id(3), id(2))).wait().unwrap();
    assert_eq!(counts(), (0, 1, 2));
    assert_sound(&store);
}

#[test]
fn r61_what_was_listed_stays_when_the_option_is_off_and_a_page_has_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = contact_store::ContactStore::open(&path, Options::default().conflicts(5)).unwrap();
    let item = |item: ContactUpdate| Upsert::new(DedupeOn::PhoneThenEmail).contact(item);
    let both = ContactUpdate::new().email("a@x.com").phone("380500000001");
    let [email, phone] = [
        ContactUpdate::new().email("a@x.com"),
        ContactUpdate::new().phone("380500000001"),
    ];
    for update in [email, phone, both.clone()] {
        store.upsert(item(update)).wait().unwrap();
    }
    store.close().unwrap();
    let store = contact_store::ContactStore::open(&path, Options::default()).unwrap();
    store.upsert(item(both)).wait().unwrap();
    let now = store.snapshot().unwrap();
    let listed = now.conflicts(None, limits::PAGE_ROWS).unwrap();
    let shown = |conflict: &Conflict| (conflict.pair(), conflict.count);
    let kinds: Vec<[KindSet; 2]> = listed
        .iter()
        .map(|conflict| conflict.contacts.map(|side| side.named_by))
        .collect();
    assert_eq!(
        listed.iter().map(shown).collect::<Vec<_>>(),
        [((id(1), id(2)), 1)]
    );
    let expected = [IdentifierKind::Email, IdentifierKind::Phone].map(KindSet::from);
    assert_eq!(kinds, [expected]);
    let over = limits::PAGE_ROWS + 1;
    let refused = now.conflicts(None, over).unwrap_err();
    let Error::LimitExceeded(LimitExceeded { limit, actual, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((limit, actual), (Limit::PageRows, over as u64));
    assert_eq!(store.stats().unwrap().most_conflicts, 0);
    assert_sound(&store);
}
