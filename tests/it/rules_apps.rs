//! Apps: connecting, disconnecting, counting them, and their secrets: R11, R12, R37.

use contact_store::{
    AccessKey, AddTokens, AppId, AppName, ConnectApp, ContactStore, Error, Fault, Field,
    FieldError, RecordReports, RemoveToken, Report, ReportOutcome, Status, Token, TokenEntry,
};

use crate::support::raw;
use crate::support::script::script;
use crate::support::watched_disk::WatchedDisk;
use crate::support::{
    APP, OTHER_APP, add, assert_sound, at, connect, id, options, store, subscriber,
};

fn name(text: &str) -> AppName {
    AppName::parse(text).unwrap()
}

fn key(text: &str) -> AccessKey {
    AccessKey::parse(text).unwrap()
}

#[test]
fn r11_connecting_again_replaces_what_is_given() {
    script(
        "
        clock 2000
        connect C name=\"Shop bot\" key=k1 => C
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
              | C \"Shop bot\" since 2000 subscribers 0 contacts 0 failed 0 host 0
        key C => k1
        add C : t ext=c1 => 1 created added #3.1
        clock 3000
        // The same again changes nothing: R47 is checked after every line.
        connect C name=\"Shop bot\" key=k1 => C
        connect C name=\"Shop bot\"        => C
        key C => k1
        // Another name, and the key that was not given stays; then another key.
        connect C name=\"New shop\"        => C
        key C => k1
        connect C name=\"New shop\" key=k2 => C
        key C => k2
        key A => none
        // What the app holds stays, and since when it is connected.
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
              | C \"New shop\" since 2000 subscribers 1 contacts 1 failed 0 host 0
        key D => error UnknownApp D
    ",
    );
}

#[test]
fn r11_without_an_id_the_store_makes_one() {
    let (store, _) = store();
    let connect = || {
        let made = store.connect_app(ConnectApp::new(name("Bot"))).wait();
        made.unwrap().outcome
    };
    let (first, second) = (connect(), connect());
    assert_ne!(first, second);
    for made in [first, second] {
        let text = made.to_string();
        // Version 4, variant of RFC 4122.
        assert_eq!(&text[14..15], "4", "{text}");
        assert!("89ab".contains(&text[19..20]), "{text}");
        assert_eq!(AppId::parse(&text), Ok(made));
    }
    assert_eq!(store.snapshot().unwrap().apps().unwrap().len(), 4);
}

#[test]
fn r11_every_text_form_of_a_uuid_is_taken_and_one_given_back() {
    let given_back = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    let id = AppId::from_u128(0x6f96_19ff_8b86_d011_b42d_00cf_4fc9_64ff);
    for text in [
        given_back,
        "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
        "6f9619ff8b86d011b42d00cf4fc964ff",
        "{6F9619FF-8b86-D011-B42D-00CF4FC964FF}",
        "urn:uuid:6F9619FF-8B86-D011-B42D-00CF4FC964FF",
    ] {
        assert_eq!(AppId::parse(text), Ok(id), "{text}");
    }
    assert_eq!(id.to_string(), given_back);
    for text in [
        "",
        "6f9619ff",
        " 6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "6f9619ff-8b86-d011-b42d-00cf4fc964fg",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff0",
    ] {
        refused(AppId::parse(text), Field::AppId, &Fault::NotAUuid);
    }
}

#[track_caller]
fn refused<T>(parsed: Result<T, FieldError>, field: Field, fault: &Fault) {
    let error = parsed.err().expect("a refusal");
    assert_eq!((error.field(), error.fault()), (field, fault));
}

#[test]
fn r11_names_and_keys_have_their_bounds() {
    assert_eq!(name(&"ї".repeat(128)).as_str().len(), 256);
    assert_eq!(key(&"k".repeat(4_096)).reveal().len(), 4_096);
    assert_eq!(name(" Kept as it is ").as_str(), " Kept as it is ");
    refused(AppName::parse(""), Field::AppName, &Fault::Blank);
    refused(AppName::parse(" \u{3000}"), Field::AppName, &Fault::Blank);
    let long = Fault::TooLong {
        bytes: 257,
        limit: 256,
    };
    refused(AppName::parse("n".repeat(257)), Field::AppName, &long);
    let unseen = Fault::ForbiddenCharacter;
    refused(AppName::parse("a\u{200B}b"), Field::AppName, &unseen);
    refused(AccessKey::parse(" "), Field::AccessKey, &Fault::Blank);
    let long = Fault::TooLong {
        bytes: 4_097,
        limit: 4_096,
    };
    refused(AccessKey::parse("k".repeat(4_097)), Field::AccessKey, &long);
    refused(AccessKey::parse("a\nb"), Field::AccessKey, &unseen);
}

#[test]
fn r11_a_disconnected_app_is_unknown_immediately() {
    script(
        "
        connect A name=\"First bot\" key=k => A
        add A : t ext=c1 | u ext=c1 | t ext=c2 => 1 created added #1 | 1 by ext added #2 | 2 created added #1 also=1
        add B : t ext=c1                 => 1 by ext added #2.1
        report A : t SENT msg=m          => recorded
        disconnect A                     => done
        // In requests.
        add A : t ext=c1                 => error UnknownApp A
        report A : t SENT                => error UnknownApp A
        report A : #1 SENT               => error UnknownApp A
        remove A t                       => error UnknownApp A
        forget A before=9999             => error UnknownApp A
        remove_stale A before=9999       => error UnknownApp A
        disconnect A                     => error UnknownApp A
        disconnect C                     => error UnknownApp C
        // In listings and counts.
        apps => B \"Second bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
        subscribers A                    => error UnknownApp A
        messages A                       => error UnknownApp A
        key A                            => error UnknownApp A
        // On cards and in look-ups.
        card 1 => 1 ext=c1 created 1000 via A [B:t#2.1@1000]
        card 2 => 2 ext=c2 created 1000 via A []
        subscriber A t                   => error UnknownApp A
        subscriber #1                    => none
        subscriber #2                    => none
        // Through another app its subscribers are no better known.
        report B : #1 SENT               => unknown
        find ext=c2                      => 2 by ext
    ",
    );
}

#[test]
fn r11_a_disconnected_app_is_unknown_before_anything_is_swept() {
    let disk = WatchedDisk::new();
    let store = disk.open(&options().0);
    connect(&store);
    add(&store, TokenEntry::new("t").contact_id(7));
    add(&store, TokenEntry::new("u").contact_id(7));
    let message = Report::new(Status::Sent).token("t").message("m");
    let request = RecordReports::new(APP).report(message);
    store.record_reports(request).wait().unwrap();
    let rows_with_all = rows(&store);

    // The disconnecting is let through, and the sweep after it held.
    let hold = disk.held();
    let before = store.snapshot().unwrap().sequence();
    let disconnected = store.disconnect_app(APP);
    disk.let_through_until(|| store.snapshot().unwrap().sequence() > before);
    disk.wait_until_held();
    disconnected.wait().unwrap();
    assert_eq!(rows(&store), rows_with_all - 1, "all but the app is there");

    let now = store.snapshot().unwrap();
    let ids = |apps: Vec<contact_store::App>| apps.iter().map(|app| app.id).collect::<Vec<_>>();
    assert_eq!(ids(now.apps().unwrap()), [OTHER_APP]);
    assert_eq!(now.contact(id(7)).unwrap().unwrap().tokens, []);
    for subscriber in [1, 2].map(subscriber) {
        assert_eq!(now.subscriber(subscriber).unwrap(), None);
    }
    let token = Token::parse("t").unwrap();
    let reads: [Result<(), Error>; 4] = [
        now.subscriber_by_token(APP, &token).map(drop),
        now.subscribers(APP, None, 10).map(drop),
        now.messages(APP, None, 10).map(drop),
        now.access_key(APP).map(drop),
    ];
    for read in reads {
        assert!(matches!(read, Err(Error::UnknownApp(APP))), "{read:?}");
    }
    hold.let_go();
}

#[test]
fn r11_connecting_a_disconnected_app_starts_empty() {
    script(
        "
        connect A name=\"First bot\" key=k => A
        add A : t ext=c1       => 1 created added #1
        report A : t SENT msg=m | t FAILED => recorded | removed from 1
        add A : t ext=c1       => 1 by ext added #2
        disconnect A           => done
        clock 2000
        connect A name=Again   => A
        key A                  => none
        messages A             =>
        subscribers A          =>
        apps => A \"Again\" since 2000 subscribers 0 contacts 0 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        report A : #2 SENT     => unknown
        add A : t ext=c1       => 1 by ext added #3.1
        card 1 => 1 ext=c1 created 1000 via A [A:t#3.1@2000]
        disconnect A           => done
        connect A              => A
        add A : t ext=c2       => 2 created added #4.1
        apps => A \"Bot\" since 2000 subscribers 1 contacts 1 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
    ",
    );
}

/// A request that changes nothing. Each group of requests takes along one step of the sweep.
fn one_step(store: &ContactStore) {
    let erased = store.erase(id(1 << 40)).wait().unwrap();
    assert!(!erased.outcome.erased);
}

fn rows(store: &ContactStore) -> u64 {
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(verified.problems, []);
    verified.rows
}

/// The rows on the disk of a store at rest, without those of the indexes.
fn rows_besides_indexes(disk: &WatchedDisk, store: &ContactStore) -> u64 {
    let problems = store.snapshot().unwrap().verify().unwrap().problems;
    assert_eq!(problems, []);
    raw::rows_besides_indexes(&disk.bytes())
}

#[test]
fn r11_what_a_disconnected_app_left_is_removed_in_bounded_steps() {
    const CONTACTS: u64 = 2_500;
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.entries_per_request = usize::MAX;
    let store = disk.open(&options);
    connect(&store);
    let each = |app, token: &'static str| {
        let entry = move |n| TokenEntry::new(format!("{token}{n}")).contact_id(n);
        let request = AddTokens::new(app).entries((1..=CONTACTS).map(entry));
        store.add_tokens(request).wait().unwrap();
    };
    each(OTHER_APP, "t");
    let rows_without = rows_besides_indexes(&disk, &store);
    each(APP, "t");
    each(APP, "u");
    let sent = |n| {
        let report = Report::new(Status::Sent).token(format!("t{n}"));
        report.message(format!("m{n}"))
    };
    let request = RecordReports::new(APP).reports((1..=CONTACTS).map(sent));
    store.record_reports(request).wait().unwrap();

    let commits = || store.stats().unwrap().commits;
    let commits_before = commits();
    let sequence = store.disconnect_app(APP).wait().unwrap().sequence;
    let check = |store: &ContactStore| {
        let now = store.snapshot().unwrap();
        // Nobody sees it go on: the number stands still.
        assert_eq!(now.sequence(), sequence);
        let [app] = &now.apps().unwrap()[..] else {
            panic!("one app is left");
        };
        assert_eq!((app.id, app.subscribers), (OTHER_APP, CONTACTS));
        let card = now.contact(id(CONTACTS)).unwrap().unwrap();
        assert_eq!(card.tokens.len(), 1);
        assert_eq!(card.tokens[0].app, OTHER_APP);
    };
    check(&store);
    // The counts of the app stay, with its id; its name and key do not.
    let finished = |store: &ContactStore| rows_besides_indexes(&disk, store) == rows_without - 1;
    let mut steps = 0;
    while !finished(&store) {
        one_step(&store);
        check(&store);
        steps += 1;
        // 5,000 tokens on cards and 2,500 messages, 1,000 a step.
        assert!(steps <= 9, "the sweep ends");
    }
    let made = commits() - commits_before;
    assert!(made >= 8, "{made} commits are too few");
    let syncs = disk.syncs();
    one_step(&store);
    assert_eq!(disk.syncs(), syncs, "and then no commit goes on");
}

#[test]
fn r11_a_sweep_that_closing_cut_off_goes_on_after_opening() {
    const CONTACTS: u64 = 5_000;
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.entries_per_request = usize::MAX;
    let store = disk.open(&options);
    connect(&store);
    let entry = |n| TokenEntry::new(format!("t{n}")).contact_id(n);
    let request = AddTokens::new(APP).entries((1..=CONTACTS).map(entry));
    store.add_tokens(request).wait().unwrap();

    // Closed before the sweep can have got far: the disconnecting is on its way when closing begins.
    let hold = disk.held();
    let disconnected = store.disconnect_app(APP);
    disk.wait_until_held();
    let closing = std::thread::spawn({
        let store = store.clone();
        move || store.close()
    });
    // From here on the queue takes nothing: the writer ends with what it holds.
    while !matches!(
        store
            .erase(id(1 << 40))
            .wait_timeout(std::time::Duration::ZERO),
        Some(Err(Error::Closed))
    ) {
        std::thread::yield_now();
    }
    hold.let_go();
    disconnected.wait().unwrap();
    closing.join().unwrap().unwrap();

    let store = disk.open(&options);
    assert!(store.snapshot().unwrap().apps().unwrap().len() == 1);
    // What is swept by now was swept in a step or two since the opening.
    let left = rows_besides_indexes(&disk, &store);
    assert!(left > CONTACTS, "most is still there: {left} rows");
    for _ in 0..7 {
        one_step(&store);
        assert_sound(&store);
    }
    // The contacts, one app, the counts of two, the run of ids, and what there is one of.
    assert_eq!(
        rows_besides_indexes(&disk, &store),
        CONTACTS + 1 + 2 + 1 + 3
    );
}

#[test]
fn r11_an_app_that_is_connected_again_is_not_swept() {
    let disk = WatchedDisk::new();
    let (mut options, _) = options();
    options.limits.tokens_per_contact = 2;
    let store = disk.open(&options);
    connect(&store);
    for token in ["t1", "t2"] {
        add(&store, TokenEntry::new(token).contact_id(7));
    }
    // All in one group, so that nothing is swept in between.
    let hold = disk.held();
    let first = store.erase(id(7_777));
    let blocker =
        store.add_tokens(AddTokens::new(OTHER_APP).entry(TokenEntry::new("x").contact_id(8)));
    disk.wait_until_held();
    let disconnected = store.disconnect_app(APP);
    let refused = store.add_tokens(AddTokens::new(APP).entry(TokenEntry::new("t1").contact_id(7)));
    let again = store.connect_app(ConnectApp::new(name("Again")).id(APP));
    let old = Report::new(Status::Failed).subscriber(subscriber(1));
    let reported = store.record_reports(RecordReports::new(APP).report(old));
    let token = Token::parse("t1").unwrap();
    let removed = store.remove_token(RemoveToken::of_all(APP, token));
    let entries = ["t2", "t3"].map(|token| TokenEntry::new(token).contact_id(7));
    let added = store.add_tokens(AddTokens::new(APP).entries(entries));
    hold.let_go();
    first.wait().unwrap();
    blocker.wait().unwrap();
    disconnected.wait().unwrap();
    match refused.wait() {
        Err(Error::UnknownApp(app)) => assert_eq!(app, APP),
        other => panic!("{other:?}"),
    }
    assert_eq!(again.wait().unwrap().outcome, APP);
    // What the first connection left is not this one's.
    let reported = reported.wait().unwrap().outcome;
    assert_eq!(reported, [Ok(ReportOutcome::UnknownSubscriber)]);
    assert_eq!(removed.wait().unwrap().outcome.from, []);
    // The tokens that are still to be swept do not count against the limit of two.
    let added = added.wait().unwrap().outcome.entries;
    let subscribers: Vec<u64> = added
        .iter()
        .map(|added| added.as_ref().unwrap().subscriber.value())
        .collect();
    for _ in 0..3 {
        let card = store.snapshot().unwrap().contact(id(7)).unwrap().unwrap();
        let held: Vec<_> = card
            .tokens
            .iter()
            .map(|held| (held.token.as_str(), held.subscriber.value()))
            .collect();
        assert_eq!(held, [("t2", subscribers[0]), ("t3", subscribers[1])]);
        let new_ones = [3 << 40 | 1, 3 << 40 | 2];
        assert_eq!(subscribers, new_ones, "of the third connection");
        one_step(&store);
        assert_sound(&store);
    }
}

#[test]
fn r12_the_access_key_is_given_only_by_its_own_method() {
    let (store, _) = store();
    let request = ConnectApp::new(name("Bot")).id(APP).key(key("canary-key"));
    store.connect_app(request.clone()).wait().unwrap();
    let now = store.snapshot().unwrap();
    let shown = format!("{request:?} {:?} {store:?} {now:?}", now.apps().unwrap());
    assert!(!shown.contains("canary"), "{shown}");
    let revealed = now.access_key(APP).unwrap().unwrap();
    assert_eq!(revealed.reveal(), "canary-key");
    assert_eq!(now.access_key(OTHER_APP).unwrap(), None);
}

#[test]
fn r37_apps_are_listed_with_exact_counts() {
    script(
        "
        add A : t1 ext=c1 | t2 ext=c1 | t2 ext=c2 | t3 ext=c3
            => 1 created added #1 | 1 by ext added #2 | 2 created added #2 also=1 | 3 created added #3
        // Three tokens, one of them shared; three contacts, one of them with two.
        apps => A \"First bot\" since 1000 subscribers 3 contacts 3 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        add A : t2 ext=c2 => 2 by ext held #2 also=1
        remove A t1       => from 1
        apps => A \"First bot\" since 1000 subscribers 2 contacts 3 failed 0 host 1
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        add A ownership=exclusive : t2 ext=c3 => 3 by ext moved from 1,2 #2
        apps => A \"First bot\" since 1000 subscribers 2 contacts 1 failed 0 host 1
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        report A : t2 FAILED => removed from 3
        add B : t2 ext=c3 => 3 by ext added #2.1
        apps => A \"First bot\" since 1000 subscribers 1 contacts 1 failed 1 host 1
              | B \"Second bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
        erase 3 => true
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 1 host 1
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        // A refused request counts nothing.
        add A mode=all : t1 ext=c1 | - => error EntryRefused 1: token Blank
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 1 host 1
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
    ",
    );
}

#[test]
fn r37_listing_apps_costs_the_same_however_many_subscribers_they_have() {
    let reads = |contacts: u64| {
        let disk = WatchedDisk::new();
        let (mut options, _) = options();
        options.limits.entries_per_request = usize::MAX;
        let store = disk.open(&options);
        connect(&store);
        let entry = |n| TokenEntry::new(format!("t{n}")).contact_id(n);
        let request = AddTokens::new(APP).entries((1..=contacts).map(entry));
        store.add_tokens(request).wait().unwrap();
        store.close().unwrap();
        options.cache_bytes = 0;
        let store = disk.open(&options);
        let now = store.snapshot().unwrap();
        let before = disk.reads();
        let apps = now.apps().unwrap();
        let reads = disk.reads() - before;
        assert_eq!(apps[0].subscribers, contacts);
        reads
    };
    assert_eq!(reads(10), reads(10_000));
}

#[test]
fn r37_counts_are_of_the_same_number_as_the_change() {
    let (store, _) = store();
    for n in 1..=3 {
        add(
            &store,
            TokenEntry::new(format!("t{n}"))
                .contact_id(n)
                .email("a@example.com"),
        );
    }
    let before = store.snapshot().unwrap();
    let token = Token::parse("t1").unwrap();
    let removed = store.remove_token(RemoveToken::of_all(APP, token)).wait();
    let after = store.snapshot().unwrap();
    assert_eq!(after.sequence(), removed.unwrap().sequence);
    let counts = |now: &contact_store::Snapshot| now.apps().unwrap()[0].subscribers;
    assert_eq!([counts(&before), counts(&after)], [3, 2]);
    assert_eq!(before.apps().unwrap()[0].connected_at, at(1_000));
}
