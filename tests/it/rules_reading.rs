//! Looking up, explaining and listing: R26 to R29, R38.

use contact_store::{
    AddTokens, Error, Limit, LimitExceeded, SubscriberId, TokenEntry, UnknownContactId,
};

use crate::support::script::{script, script_with};
use crate::support::{APP, add, store};

#[test]
fn r26_find_matches_as_add_tokens_does() {
    script(
        "
        add A : a ext=c1 => 1 created added #1
        add A : b phone=380500000002 email=e2@example.com => 2 created added #2
        find ext=c1                             => 1 by ext
        find ext=c1 phone=380500000002          => 1 by ext
        find ext=new phone=+380-50-000-00-02    => 2 by phone
        find id=9 ext=new email=E2@example.com  => 2 by email
        find id=2 ext=c1                        => 2 by id
        find id=1                               => 1 by id
        // Under TopPriority only the first that is given is asked.
        find policy=top ext=new phone=380500000002 => none
        find policy=top phone=380500000002         => 2 by phone
        find policy=top ext=c1 phone=380500000002  => 1 by ext
        // Nothing given, and no match.
        find                => error NothingGiven
        find policy=top     => error NothingGiven
        find phone=380500000003 email=e3@example.com => none
    ",
    );
}

#[test]
fn r26_an_invalid_identifier_in_a_look_up_is_an_error() {
    use contact_store::{Fault, Field, GivenIdentifiers};
    let error = GivenIdentifiers::new().phone("12").parse().unwrap_err();
    assert_eq!(error.field(), Field::Phone);
    assert_eq!(error.fault(), &Fault::DigitCount { digits: 2 });
}

#[test]
fn r27_contacts_and_subscribers_are_looked_up_directly() {
    script(
        "
        add A : t id=5 ext=c1 phone=380500000001 email=e1@example.com => 5 created added #1
        card 5              => 5 ext=c1 phone=380500000001 email=e1@example.com created 1000 via A [A:t#1@1000]
        card 1              => none
        find id=5           => 5 by id
        find ext=c1         => 5 by ext
        find phone=380500000001   => 5 by phone
        find email=e1@example.com => 5 by email
        subscriber A t      => #1 A:t of 5 registered 1000 sent 0 failed 0 clicked 0 last -
        subscriber #1       => #1 A:t of 5 registered 1000 sent 0 failed 0 clicked 0 last -
        subscriber B t      => none
        subscriber A u      => none
        subscriber C t      => error UnknownApp C
        subscriber #0       => none
        subscriber #2       => none
        subscriber #18446744073709551615 => none
    ",
    );
}

#[test]
fn r28_explain_shows_whom_each_names_and_what_either_policy_decides() {
    script(
        "
        add A : a ext=c1             => 1 created added #1
        add A : b phone=380500000002 => 2 created added #2
        explain ext=c1 phone=380500000002
            => ext:1 phone:2; cascade appends to 1 by ext; top appends to 1 by ext
        explain ext=new phone=380500000002
            => ext:- phone:2; cascade appends to 2 by phone; top creates 3 with ext skipped=phone
        explain id=9 ext=c1 phone=380500000009
            => id:- ext:1 phone:-; cascade appends to 1 by ext; top creates 9 with id,phone skipped=ext
        explain email=new@example.com
            => email:-; cascade creates 3 with email; top creates 3 with email
        erase 2 => true
        explain id=2 email=new@example.com
            => id:- email:-; cascade refuses ContactIdErased(ContactId(2)); top refuses ContactIdErased(ContactId(2))
        explain => error NothingGiven
        // What it said is what comes to pass.
        add A policy=top : c id=9 ext=c1 phone=380500000009 => 9 created added #3 skipped=ext
    ",
    );
}

#[test]
fn r28_explain_follows_the_stores_option_for_unknown_ids() {
    script_with(
        |options| options.unknown_contact_id = UnknownContactId::Reject,
        "
        add A : a phone=380500000001 => 1 created added #1
        explain id=7 phone=380500000001
            => id:- phone:1; cascade appends to 1 by phone; top refuses UnknownContactId
    ",
    );
}

#[test]
fn r29_a_card_returns_its_tokens_in_the_order_added() {
    script(
        "
        add B at=100 : t9 phone=380500000001 => 1 created added #1
        add A at=900 : t5 phone=380500000001 => 1 by phone added #2
        add A at=300 : t7 phone=380500000001 => 1 by phone added #3
        card 1 => 1 phone=380500000001 created 100 via B [B:t9#1@100 A:t5#2@900 A:t7#3@300]
        // The app through which it was created is remembered when that app is gone.
        disconnect B => done
        card 1 => 1 phone=380500000001 created 100 via B [A:t5#2@900 A:t7#3@300]
    ",
    );
}

#[test]
fn r38_subscribers_are_listed_in_pages_in_the_order_of_their_ids() {
    script(
        "
        add A : c ext=c1 | b ext=c1 | a ext=c2 => 1 created added #1 | 1 by ext added #2 | 2 created added #3
        add B : x ext=c1 => 1 by ext added #4
        add A : d ext=c2 | c ext=c2 => 2 by ext added #5 | 2 by ext added #1 also=1
        subscribers A limit=2
            => #1 A:c of 1,2 registered 1000 sent 0 failed 0 clicked 0 last -
             | #2 A:b of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A limit=2 after=#2
            => #3 A:a of 2 registered 1000 sent 0 failed 0 clicked 0 last -
             | #5 A:d of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A limit=2 after=#5 =>
        // A page goes on behind an id that is gone, of another app, or that never was.
        report A : a FAILED => removed from 2
        subscribers A after=#3 => #5 A:d of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A after=#4 => #5 A:d of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A after=#18446744073709551615 =>
        subscribers B => #4 B:x of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers C => error UnknownApp C
    ",
    );
}

#[test]
fn r38_pages_are_stable_while_others_write() {
    let (store, _) = store();
    let entries = |from: usize| {
        (from..from + 100).map(|n| TokenEntry::new(format!("t{n}")).external_customer_id("c"))
    };
    let request = AddTokens::new(APP).entries(entries(0));
    store.add_tokens(request).wait().unwrap();
    let all = store.snapshot().unwrap().subscribers(APP, None, 1_000);
    let all: Vec<SubscriberId> = all.unwrap().iter().map(|it| it.id).collect();

    // Between the pages subscribers come and go, before and behind the place.
    let mut listed: Vec<SubscriberId> = Vec::new();
    for round in 0.. {
        let now = store.snapshot().unwrap();
        let page = now.subscribers(APP, listed.last().copied(), 7).unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.iter().map(|it| it.id));
        assert!(listed.len() < 1_000, "the pages end");
        if round < 5 {
            let gone = contact_store::RemoveToken::of_all(
                APP,
                contact_store::Token::parse(format!("t{round}")).unwrap(),
            );
            store.remove_token(gone).wait().unwrap();
            let new = TokenEntry::new(format!("new{round}")).external_customer_id("c");
            add(&store, new);
        }
    }
    assert!(listed.is_sorted_by(|a, b| a < b), "each once, in order");
    assert!(all.iter().all(|id| listed.contains(id)), "none left out");
    assert_eq!(listed.len(), 105, "and those that came behind the place");
}

#[test]
fn r38_a_page_has_1_to_1000_rows() {
    let (store, _) = store();
    let entries =
        (0..1_001).map(|n| TokenEntry::new(format!("t{n}")).external_customer_id(format!("c{n}")));
    let request = AddTokens::new(APP).entries(entries);
    store.add_tokens(request).wait().unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!(now.subscribers(APP, None, 1).unwrap().len(), 1);
    assert_eq!(now.subscribers(APP, None, 1_000).unwrap().len(), 1_000);
    for limit in [0, 1_001, usize::MAX] {
        let expected = (Limit::PageRows, limit as u64, 1_000);
        let refusals = [
            now.subscribers(APP, None, limit).unwrap_err(),
            now.messages(APP, None, limit).unwrap_err(),
        ];
        for refused in refusals {
            match refused {
                Error::LimitExceeded(LimitExceeded {
                    limit,
                    actual,
                    most,
                    ..
                }) => {
                    assert_eq!((limit, actual, most), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
