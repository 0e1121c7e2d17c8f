//! Looking up, explaining and listing: R26 to R29, R38.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use contact_store::{
    AddTokens, AppId, AppName, Card, ConnectApp, ContactId, ContactPage, ContactUpdate, DedupeOn,
    Error, Field, GivenIdentifiers, Identifiers, Limit, LimitExceeded, MatchPolicy, RecordReports,
    Report, Status, SubscriberId, TokenEntry, UnknownContactId, Upsert,
};

use crate::support::script::{script, script_with};
use crate::support::{APP, OTHER_APP, add, at, store};

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
        add B at=100 : t9 phone=380500000001 => 1 created added #2.1
        add A at=900 : t5 phone=380500000001 => 1 by phone added #1
        add A at=300 : t7 phone=380500000001 => 1 by phone added #2
        card 1 => 1 phone=380500000001 created 100 via B [B:t9#2.1@100 A:t5#1@900 A:t7#2@300]
        // The app through which it was created is remembered when that app is gone.
        disconnect B => done
        card 1 => 1 phone=380500000001 created 100 via B [A:t5#1@900 A:t7#2@300]
    ",
    );
}

#[test]
fn r38_subscribers_are_listed_in_pages_in_the_order_of_their_ids() {
    script(
        "
        add A : c ext=c1 | b ext=c1 | a ext=c2 => 1 created added #1 | 1 by ext added #2 | 2 created added #3
        add B : x ext=c1 => 1 by ext added #2.1
        add A : d ext=c2 | c ext=c2 => 2 by ext added #4 | 2 by ext added #1 also=1
        subscribers A limit=2
            => #1 A:c of 1,2 registered 1000 sent 0 failed 0 clicked 0 last -
             | #2 A:b of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A limit=2 after=#2
            => #3 A:a of 2 registered 1000 sent 0 failed 0 clicked 0 last -
             | #4 A:d of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A limit=2 after=#4 =>
        // A page goes on after an id that is gone, of another app, or that never was.
        report A : a FAILED => removed from 2
        subscribers A after=#3 => #4 A:d of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A after=#2.1 =>
        subscribers B after=#4 => #2.1 B:x of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        subscribers A after=#18446744073709551615 =>
        subscribers B => #2.1 B:x of 1 registered 1000 sent 0 failed 0 clicked 0 last -
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

    // Between the pages subscribers come and go, before and after the place.
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
    assert_eq!(listed.len(), 105, "and those that came after the place");
}

#[test]
fn r56_contacts_are_listed_in_the_order_of_their_ids_all_or_those_of_an_app() {
    script(
        "
        list => -
        add A : a ext=c1 | b ext=c2 id=9 => 1 created added #1 | 9 created added #2
        add B : x ext=c3 | a ext=c1 => 2 created added #2.1 | 1 by ext added #2.2
        upsert phone : phone=380500000001 => 3 created
        list => 1,2,3,9
        list limit=2 => 1,2
        list limit=2 after=2 => 3,9
        list limit=2 after=9 => -
        list app=A => 1,9
        list app=A limit=1 => 1 next 1
        list app=A limit=1 after=1 => 9 next 9
        list app=A limit=1 after=9 => -
        list app=B => 1,2
        list app=C => error UnknownApp C
        // A page goes on after an id that is gone, or that never was.
        erase 2 => true
        list after=2 => 3,9
        list after=4 => 9
        list after=9223372036854775807 => -
        list app=B after=1 => -
        // A token that goes takes its contact out of the listing of the app, and so does the app.
        report A : a FAILED => removed from 1
        list app=A => 9
        disconnect B => done
        list app=B => error UnknownApp B
        connect B => B
        list app=B => -
        list => 1,3,9
    ",
    );
}

#[test]
fn r56_a_page_of_contacts_has_1_to_1000_rows() {
    let (store, _) = store();
    let update = |n: u32| ContactUpdate::new().external_customer_id(format!("c{n}"));
    let request = Upsert::new(DedupeOn::ExternalCustomerId).contacts((0..1_001).map(update));
    store.upsert(request).wait().unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!(now.contacts(None, 1).unwrap().len(), 1);
    assert_eq!(now.contacts(None, 1_000).unwrap().len(), 1_000);
    for limit in [0, 1_001, usize::MAX] {
        let expected = (Limit::PageRows, limit as u64, 1_000);
        let refusals = [
            now.contacts(None, limit).unwrap_err(),
            now.contacts_of(APP, None, limit).unwrap_err(),
        ];
        for refused in refusals {
            match refused {
                Error::LimitExceeded(refused) => {
                    assert_eq!((refused.limit, refused.actual, refused.most), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn r56_a_page_of_an_app_that_few_use_looks_at_10000_cards_and_says_where_to_go_on() {
    let (store, _) = store();
    for first in (0..12_000).step_by(3_000) {
        let update = |n: u32| ContactUpdate::new().external_customer_id(format!("c{n}"));
        let updates = (first..first + 3_000).map(update);
        let request = Upsert::new(DedupeOn::ExternalCustomerId).contacts(updates);
        store.upsert(request).wait().unwrap();
    }
    add(&store, TokenEntry::new("t").external_customer_id("c10000"));
    let now = store.snapshot().unwrap();
    let ids = |page: &ContactPage| -> Vec<u64> {
        page.contacts.iter().map(|card| card.id.value()).collect()
    };
    let first = now.contacts_of(APP, None, 1).unwrap();
    assert_eq!(ids(&first), [0; 0]);
    assert_eq!(first.next.map(ContactId::value), Some(10_000));
    let second = now.contacts_of(APP, first.next, 1).unwrap();
    assert_eq!(ids(&second), [10_001]);
    assert_eq!(second.next.map(ContactId::value), Some(10_001));
    let third = now.contacts_of(APP, second.next, 1).unwrap();
    assert_eq!((ids(&third), third.next), (Vec::new(), None));

    // The iterators go on over empty pages, and give all.
    let of_app: Vec<Card> = now.iter_contacts_of(APP).collect::<Result<_, _>>().unwrap();
    assert_eq!(of_app, second.contacts);
    let mut all = 0;
    for (place, card) in now.iter_contacts().enumerate() {
        assert_eq!(card.unwrap().id.value(), place as u64 + 1);
        all += 1;
    }
    assert_eq!(all, 12_000);
}

#[test]
fn r30_r38_iterators_give_what_the_pages_give() {
    let (store, _) = store();
    let entries = (0..600).map(|n| TokenEntry::new(format!("t{n}")).external_customer_id("c"));
    let request = AddTokens::new(APP).entries(entries);
    store.add_tokens(request).wait().unwrap();
    let report = |n: u32| {
        Report::new(Status::Sent)
            .token("t0")
            .message(format!("m{n}"))
    };
    let request = RecordReports::new(APP).reports((0..600).map(report));
    store.record_reports(request).wait().unwrap();
    let now = store.snapshot().unwrap();
    let iterated: Vec<_> = now.iter_subscribers(APP).collect::<Result<_, _>>().unwrap();
    assert_eq!(iterated, now.subscribers(APP, None, 1_000).unwrap());
    let iterated: Vec<_> = now.iter_messages(APP).collect::<Result<_, _>>().unwrap();
    assert_eq!(iterated, now.messages(APP, None, 1_000).unwrap());
    // An error is an item, and the last.
    let unknown = AppId::from_u128(0xffff);
    let mut refused = now.iter_subscribers(unknown);
    assert!(matches!(refused.next(), Some(Err(Error::UnknownApp(app))) if app == unknown));
    assert!(refused.next().is_none());
    store.close().unwrap();
    let mut closed = now.iter_contacts();
    assert!(matches!(closed.next(), Some(Err(Error::Closed))));
    assert!(closed.next().is_none());
}

#[test]
fn r27_contacts_are_looked_up_by_the_text_of_an_identifier() {
    let (store, _) = store();
    let update = ContactUpdate::new()
        .external_customer_id("c1")
        .phone("380500000001")
        .email("ann@example.com");
    let request = Upsert::new(DedupeOn::Phone).contact(update);
    let ann = store.upsert(request).wait().unwrap().outcome;
    let ann = ann.into_single().unwrap().contact;
    let now = store.snapshot().unwrap();
    let found = [
        now.by_external_customer_id("c1"),
        now.by_phone("+380 (50) 000-00-01"),
        now.by_email("Ann@Example.com"),
    ];
    for found in found {
        assert_eq!(found.unwrap().map(|card| card.id), Some(ann));
    }
    assert_eq!(now.by_phone("380500000002").unwrap(), None);
    let refused = [
        (now.by_external_customer_id(""), Field::ExternalCustomerId),
        (now.by_phone("12"), Field::Phone),
        (now.by_email("ann"), Field::Email),
    ];
    for (refused, field) in refused {
        match refused {
            Err(Error::Field(error)) => assert_eq!(error.field(), field),
            other => panic!("{other:?}"),
        }
    }
    let sets = ["ann@example.com", "ben@example.com"].map(|email| {
        let given = GivenIdentifiers::new().email(email);
        given.parse().unwrap()
    });
    let found = now.find_many(&sets, MatchPolicy::Cascade).unwrap();
    let ids: Vec<_> = found
        .iter()
        .map(|found| found.as_ref().map(|found| found.card.id))
        .collect();
    assert_eq!(ids, [Some(ann), None]);
    let none = [Identifiers::new()];
    let refused = now.find_many(&none, MatchPolicy::Cascade);
    assert!(matches!(refused, Err(Error::NothingGiven)), "{refused:?}");
}

#[test]
fn r37_an_app_is_looked_up_by_its_id_and_by_its_name() {
    let (store, clock) = store();
    clock.set(at(2_000));
    let name = || AppName::parse("Twice").unwrap();
    let connect = |id: u128| {
        let request = ConnectApp::new(name()).id(AppId::from_u128(id));
        store.connect_app(request).wait().unwrap().outcome
    };
    let [later_id, earlier_id] = [0x99, 0x98].map(connect);
    clock.set(at(3_000));
    connect(0x01);
    let now = store.snapshot().unwrap();
    let all = now.apps().unwrap();
    for app in &all {
        assert_eq!(now.app(app.id).unwrap().as_ref(), Some(app));
    }
    assert_eq!(now.app(AppId::from_u128(0xffff)).unwrap(), None);
    // Of those connected first, the one with the smaller id.
    let found = now.app_by_name("Twice").unwrap().unwrap();
    assert_eq!(found.id, earlier_id.min(later_id));
    assert_eq!(now.app_by_name("twice").unwrap(), None);
}

#[test]
fn r29_a_card_gives_the_tokens_of_one_app() {
    let (store, _) = store();
    for app in [APP, OTHER_APP] {
        let entries = ["t1", "t2"].map(|token| TokenEntry::new(token).external_customer_id("c"));
        let request = AddTokens::new(app).entries(entries);
        store.add_tokens(request).wait().unwrap();
    }
    let now = store.snapshot().unwrap();
    let card = now.by_external_customer_id("c").unwrap().unwrap();
    let of_app = |app: u64| move |number: u64| app << 40 | number;
    let of = |app| -> Vec<u64> {
        let held = card.tokens_of(app);
        held.map(|held| held.subscriber.value()).collect()
    };
    assert_eq!(
        (of(APP), of(OTHER_APP)),
        (
            [1, 2].map(of_app(1)).to_vec(),
            [1, 2].map(of_app(2)).to_vec()
        )
    );
    assert_eq!(of(AppId::from_u128(0xffff)), [0; 0]);
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

/// A visit shows what the pages show, in the same order, and ends when it is told to.
#[test]
fn r38_a_visit_shows_each_subscriber_as_the_pages_do() {
    let (store, _) = store();
    let entries = (0..250).map(|n| TokenEntry::new(format!("token {n}")).contact_id(1 + n % 9));
    let request = AddTokens::new(APP).entries(entries);
    store.add_tokens(request).wait().unwrap();
    let shared = TokenEntry::new("token 7").contact_id(9);
    store
        .add_tokens(AddTokens::new(APP).entry(shared))
        .wait()
        .unwrap();
    let sent = Report::new(Status::Sent).token("token 7");
    store
        .record_reports(RecordReports::new(APP).report(sent))
        .wait()
        .unwrap();
    let now = store.snapshot().unwrap();
    let page = now.subscribers(APP, None, 1_000).unwrap();
    assert_eq!(page.len(), 250);
    let visited = |after, most: usize| {
        let mut seen = Vec::new();
        now.visit_subscribers(APP, after, |shown| {
            let listed = &page[page
                .iter()
                .position(|listed| listed.id == shown.id)
                .unwrap()];
            assert_eq!(
                (shown.app, shown.token),
                (listed.app, listed.token.as_str())
            );
            assert_eq!(shown.contacts, &listed.contacts[..]);
            assert_eq!(shown.last_registered_at, listed.last_registered_at);
            assert_eq!(shown.last_status, listed.last_status);
            assert_eq!(shown.counts, listed.counts);
            seen.push(shown.id);
            if seen.len() < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
        .unwrap();
        seen
    };
    let ids: Vec<SubscriberId> = page.iter().map(|listed| listed.id).collect();
    assert_eq!(visited(None, usize::MAX), ids);
    assert_eq!(visited(None, 3), ids[..3]);
    assert_eq!(visited(Some(ids[99]), usize::MAX), ids[100..]);
    assert_eq!(visited(Some(ids[249]), usize::MAX), []);
    now.visit_subscribers(OTHER_APP, None, |shown| panic!("{shown:?}"))
        .unwrap();
    let nobody = AppId::from_u128(99);
    match now.visit_subscribers(nobody, None, |_| ControlFlow::Continue(())) {
        Err(Error::UnknownApp(app)) => assert_eq!(app, nobody),
        other => panic!("{other:?}"),
    }
}

/// What a visitor does is not what the storage engine does.
#[test]
fn r48_a_visitor_that_panics_leaves_the_store_as_it_was() {
    let (store, _) = store();
    add(&store, TokenEntry::new("100").contact_id(1));
    let now = store.snapshot().unwrap();
    let visit = || now.visit_subscribers(APP, None, |_| resume_unwind(Box::new("mine")));
    let panic = catch_unwind(AssertUnwindSafe(visit)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"mine"));
    assert_eq!(now.subscribers(APP, None, 10).unwrap().len(), 1);
    add(&store, TokenEntry::new("200").contact_id(1));
    assert!(!store.stats().unwrap().needs_reopen);
}
