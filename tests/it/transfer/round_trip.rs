//! What is imported is what was exported.

use std::cell::Cell;
use std::ops::ControlFlow;

use contact_store::transfer::{ExportOptions, export_ndjson};
use contact_store::{
    AddTokens, AppName, ConnectApp, ContactStore, EntryError, ManualClock, Mute, NotSingle,
    Options, SubscriberId, Token, TokenEntry,
};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::model::{Choices, Request, Settings};
use crate::support::everything::Everything;
use crate::support::{APP, add, assert_sound, at, clock_at, connect, id};

use super::sample::{CONTACTS, FORMER_APP, sample};
use super::{assert_same, empty, empty_with, export, import, text_of};

#[test]
fn r70_an_imported_store_shows_what_was_exported() {
    let store = sample();
    let (text, exported) = export(&store.snapshot().unwrap());
    let restored = empty();
    let told = import(&restored, &text);
    assert_eq!(told.reasons(), []);
    let imported = told.complete();
    assert_same(&store, &restored);
    // But for the first and the last line.
    assert_eq!(imported.rows, exported.rows - 2);
    assert_eq!((imported.updated, imported.refused_rows()), (0, 0));
    assert_eq!(exported.contacts, CONTACTS);
    assert_eq!(exported.bytes, text.len() as u64);
    assert_eq!(exported.sequence, store.snapshot().unwrap().sequence());
    // And so does an export of it, but for the number of the state.
    let lines = |store: &ContactStore| -> Vec<String> {
        text_of(store).lines().skip(1).map(str::to_owned).collect()
    };
    assert_eq!(lines(&store), lines(&restored));
}

#[test]
fn r18_r19_r35_r70_no_id_is_given_out_again_after_an_import() {
    let store = sample();
    let restored = empty();
    import(&restored, text_of(&store).as_bytes()).complete();
    for store in [&store, &restored] {
        // The counter stands at 8, and passes the adopted 8 and 9.
        let added = add(store, TokenEntry::new("new").email("new@example.com"));
        assert_eq!(added.contact, id(10));
        // After t-1 to t-6 and the shared one.
        assert_eq!(added.subscriber, SubscriberId::new(1 << 40 | 8));
        for erased in [3, 101] {
            let entry = TokenEntry::new("other").contact_id(erased);
            let request = AddTokens::new(APP).entry(entry);
            let refused = store.add_tokens(request).wait().unwrap().outcome;
            assert_eq!(
                refused.entries.into_single(),
                Err(NotSingle::Refused(EntryError::ContactIdErased(id(
                    erased as u64
                ))))
            );
        }
        // The number of the former app is not given out again either.
        let request = ConnectApp::new(AppName::parse("Back").unwrap());
        store.connect_app(request.id(FORMER_APP)).wait().unwrap();
        let entry = TokenEntry::new("back").email("back@example.com");
        let request = AddTokens::new(FORMER_APP).entry(entry);
        let added = store.add_tokens(request).wait().unwrap();
        let added = added.outcome.entries.into_single().unwrap();
        assert_eq!(added.subscriber, SubscriberId::new(4 << 40 | 1));
        assert_sound(store);
    }
}

#[test]
fn r12_r70_access_keys_are_exported_only_when_asked_for() {
    let store = sample();
    let now = store.snapshot().unwrap();
    assert!(text_of(&store).contains("secret-key"));
    let mut text = Vec::new();
    let go_on = |_| ControlFlow::Continue(());
    export_ndjson(&now, &mut text, ExportOptions::default(), go_on).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("secret-key"));
    assert!(!text.contains("accessKey"));
    let restored = empty();
    import(&restored, text.as_bytes()).complete();
    assert_eq!(restored.snapshot().unwrap().access_key(APP).unwrap(), None);
}

#[test]
fn r70_an_empty_store_is_exported_and_imported() {
    let (text, exported) = export(&empty().snapshot().unwrap());
    assert_eq!((exported.rows, exported.contacts), (2, 0));
    let restored = empty();
    let imported = import(&restored, &text).complete();
    assert_eq!(imported.rows, 0);
    assert_same(&empty(), &restored);
}

#[test]
fn r70_the_lines_are_in_their_documented_form() {
    let text = text_of(&sample());
    let expected = r#"{"contactStoreExport":{"version":1,"sequence":29,"nextContactId":8,"nextAppNumber":4}}
{"app":{"number":1,"appUuid":"00000000-0000-0000-0000-00000000000a","name":"First \"bot\"","accessKey":"secret-key","connectedAt":1000,"subscriberIds":7,"removedByFailed":1,"removedByHost":1}}
{"formerApp":{"number":2,"appUuid":"00000000-0000-0000-0000-00000000000f","subscriberIds":1,"removedByFailed":0,"removedByHost":0}}
{"app":{"number":3,"appUuid":"00000000-0000-0000-0000-00000000000b","name":"Second bot","connectedAt":1000,"subscriberIds":5,"removedByFailed":0,"removedByHost":0}}
{"takenContactIds":[[8,9],[100,101],[1125899906842624,1125899906842624]]}
{"contact":{"contactId":1,"externalCustomerId":"crm-1","phone":"380500000001","email":"1@example.com","createdAt":1000,"createdThroughAppNumber":1,"tokens":[{"subscriberId":"1099511627777","token":"t-1","addedAt":1000},{"subscriberId":"1099511627783","token":"shared","addedAt":1000}]}}
"#;
    let shown: String = text.split_inclusive('\n').take(6).collect();
    assert_eq!(shown, expected);
    for line in [
        "{\"contact\":{\"contactId\":7,\"externalCustomerId\":\"\\\"quoted\\\\\",\
         \"email\":\"7@example.com\",\"firstName\":\"Їжак\\u0000\\n\\t\\u001f\u{7f}\",\
         \"lastName\":\"\",\"languageCode\":\"uk\",\"timeZone\":\"Europe/Kyiv\",\
         \"fields\":{\"city\":\"Kyiv, \\\"Київ\\\"\",\"ключ\":\"\u{2028}\u{1f600}\"},\
         \"createdAt\":1000,\"createdThroughAppNumber\":2,\"tokens\":[]}}",
        r#"{"subscriber":{"subscriberId":"1099511627783","contactIds":[5,2,6,1],"lastRegisteredAt":1000}}"#,
        r#"{"subscriber":{"subscriberId":"1099511627777","contactIds":[1],"lastRegisteredAt":1000,"lastStatus":"CLICKED","lastStatusAt":950,"counts":{"sent":1,"failed":0,"clicked":1}}}"#,
        r#"{"message":{"appNumber":1,"messageId":"m-1","lastAt":950,"counts":{"sent":1,"failed":0,"clicked":1}}}"#,
    ] {
        assert!(text.lines().any(|there| there == line), "{line}\n{text}");
    }
    let lines = text.lines().count();
    let end = format!("{{\"end\":{{\"lines\":{}}}}}\n", lines - 1);
    assert!(text.ends_with(&end), "{text}");
}

#[test]
fn r70_what_an_app_leaves_behind_is_not_exported() {
    let store = empty();
    connect(&store);
    for first in [0, 3_000] {
        let entries = (first..first + 3_000)
            .map(|n| TokenEntry::new(format!("t-{n}")).external_customer_id(format!("crm-{n}")));
        let request = AddTokens::new(APP).entries(entries);
        store.add_tokens(request).wait().unwrap();
    }
    store.disconnect_app(APP).wait().unwrap();
    // Most of its tokens are still in the file.
    let now = store.snapshot().unwrap();
    let (text, exported) = export(&now);
    assert_eq!(exported.contacts, 6_000);
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("\"token\":"));
    assert!(!text.contains("{\"subscriber\":"));
    let restored = empty();
    import(&restored, text.as_bytes()).complete();
    let mut shown = Everything::of(&restored.snapshot().unwrap());
    let was = Everything::of(&now);
    shown.sequence = was.sequence;
    assert!(shown == was);
}

#[cfg(not(feature = "idn"))]
#[test]
fn r27_r70_ids_of_format_1_lead_to_their_subscribers_after_an_import() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.redb");
    let old = crate::golden::pages::golden("format_1/closed.pages");
    std::fs::write(&path, old).unwrap();
    let options = crate::support::options().0;
    let options = options.create(contact_store::Create::Never).upgrade(true);
    let store = ContactStore::open(&path, options).unwrap();
    let restored = empty();
    let told = import(&restored, text_of(&store).as_bytes());
    assert_eq!(told.reasons(), []);
    assert_same(&store, &restored);
    let [now, then] = [&restored, &store].map(|store| store.snapshot().unwrap());
    let mut found = 0;
    for old in (1..1_000).map(SubscriberId::new) {
        let shown = now.subscriber(old).unwrap();
        assert_eq!(shown, then.subscriber(old).unwrap());
        found += usize::from(shown.is_some());
    }
    assert!(found > 0);
}

/// Whatever a store went through, an import of its export goes on like it: every answer is the same.
#[test]
fn r70_a_random_store_goes_on_as_before_after_an_import() {
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let seeded = TestRng::from_seed(RngAlgorithm::ChaCha, &[70; 32]);
    let bytes = (
        vec(any::<u8>(), 16),
        vec(any::<u8>(), 64..1_500),
        vec(any::<u8>(), 64..400),
    );
    let (contacts, rows) = (Cell::new(0), Cell::new(0));
    let run = TestRunner::new_with_rng(config, seeded).run(&bytes, |(settings, before, after)| {
        let mut choices = Choices::new(&settings);
        let mask = choices.of(&[u64::MAX, 0, 1]);
        // What an export does not have is left out (R61, R63, R65).
        let settings = Settings {
            remember_blocked: 0,
            conflicts: 0,
            ..Settings::choose(&mut choices)
        };
        let clock = clock_at(2_000);
        let open = || {
            let mut options = Options::default();
            settings.set(&mut options);
            options.testing.hash_mask = mask;
            options.clock = clock.clone();
            empty_with(options)
        };
        let store = open();
        go_on(&[&store], &before, &clock);
        let (text, _) = export(&store.snapshot().unwrap());
        let restored = open();
        let told = import(&restored, &text);
        assert_eq!(told.reasons(), []);
        rows.set(rows.get() + told.complete().rows);
        assert_same(&store, &restored);
        contacts.set(contacts.get() + store.snapshot().unwrap().contact_count());
        go_on(&[&store, &restored], &after, &clock);
        assert_same(&store, &restored);
        assert_sound(&restored);
        Ok(())
    });
    run.unwrap();
    // Stores with hardly anything in them prove little.
    let (contacts, rows) = (contacts.get(), rows.get());
    assert!(contacts > 300 && rows > 800, "{contacts} {rows}");
}

/// Makes the same requests of all stores, which must answer alike but for the numbers of their states.
fn go_on(stores: &[&ContactStore], bytes: &[u8], clock: &ManualClock) {
    let mut choices = Choices::new(bytes);
    while !choices.is_empty() {
        clock.set(at(choices.of(&[2_000, 2_000, 3_000, 1_500])));
        let request = match Request::choose(&mut choices) {
            Request::Suppress { contact } => Request::Erase { contact },
            request => request,
        };
        let answers = stores.iter().map(|store| {
            let answer = request.submit(store).wait();
            answer.map(|(_, outcome)| outcome)
        });
        let answers: Vec<_> = answers.collect();
        for answer in &answers {
            assert_eq!(*answer, answers[0], "{request:?}");
        }
    }
}

#[test]
fn r70_r59_a_mute_is_in_an_export_and_comes_back_with_an_import() {
    let store = empty_with(Options::default());
    crate::support::connect(&store);
    for name in ["a", "b", "c"] {
        let entry = TokenEntry::new(name).external_customer_id("c1");
        crate::support::add(&store, entry);
    }
    let mute = |name: &str| Mute::new(APP, Token::parse(name).unwrap());
    let until = mute("a").until(at(99_999_999_999_999));
    for request in [until, mute("b")] {
        store.mute(request).wait().unwrap();
    }
    let (text, _) = export(&store.snapshot().unwrap());
    for said in [r#""muted":{"until":99999999999999}"#, r#""muted":{}"#] {
        let text = String::from_utf8(text.clone()).unwrap();
        assert_eq!(text.matches(said).count(), 1, "{text}");
    }
    let restored = empty_with(Options::default());
    assert_eq!(import(&restored, &text).reasons(), []);
    assert_same(&store, &restored);
    assert_eq!(restored.stats().unwrap().muted, 2);
}
