//! What answers and errors look like, to the letter.

use std::collections::BTreeSet;

use contact_store::{
    AccessKey, AppName, BatchMode, ConnectApp, Error, GivenIdentifiers, Limits, MatchPolicy,
    Ownership, RemoveToken, Token, UnknownContactId, wire,
};

use super::{add_body, report_body, text};
use crate::support::{APP, OTHER_APP, at, id, store, store_with, subscriber};

/// A store with two contacts that share a token, one of them with everything a card can have.
fn filled(ownership: Ownership) -> contact_store::ContactStore {
    filled_at(1_000, ownership)
}

fn filled_at(millis: u64, ownership: Ownership) -> contact_store::ContactStore {
    let (store, clock) = store_with(|options| options.ownership = ownership);
    clock.set(millis);
    let body = br#"{"tokens": [
        {"token": "t1", "contactId": 7, "externalCustomerId": "shop-7", "phone": "+380 50 000 00 07", "email": "Ann@example.com"},
        {"token": "t2", "phone": "380500000001"},
        {"token": "t1", "phone": "380500000001"}
    ]}"#;
    add_body(&store, body).unwrap();
    store
}

fn found_by(store: &contact_store::ContactStore, given: GivenIdentifiers) -> String {
    let now = store.snapshot().unwrap();
    let found = now
        .find(&given.parse().unwrap(), MatchPolicy::Cascade)
        .unwrap();
    text(&wire::contact_found(found.as_ref()))
}

#[test]
fn r25_every_kind_of_outcome_of_add_tokens() {
    let rows = [
        (
            Ownership::Shared,
            r#"{"results":[{"contactId":7,"contact":"found","matchedBy":"email","token":"alreadyHeld","subscriberId":"1099511627777","alsoHeldBy":[1]},{"contactId":2,"contact":"created","token":"added","subscriberId":"1099511627779"},{"error":{"code":"noIdentifier","message":"at least one identifier is required"}}]}"#,
        ),
        (
            Ownership::Exclusive,
            r#"{"results":[{"contactId":7,"contact":"found","matchedBy":"email","token":"moved","subscriberId":"1099511627777","movedFrom":[1]},{"contactId":2,"contact":"created","token":"added","subscriberId":"1099511627779"},{"error":{"code":"noIdentifier","message":"at least one identifier is required"}}]}"#,
        ),
    ];
    for (ownership, expected) in rows {
        let store = filled(ownership);
        let body = br#"{"tokens": [{"token": "t1", "email": "ann@example.com"}, {"token": "t3", "email": "bob@example.com"}, {"token": "t3"}]}"#;
        let request = wire::parse_add_tokens(APP, body, &Limits::default()).unwrap();
        let added = store.add_tokens(request).wait().unwrap().outcome;
        assert_eq!(text(&wire::tokens_added(&added)), expected);
    }
}

#[test]
fn r17_identifiers_that_were_skipped_are_named() {
    let (store, _) = store_with(|options| options.policy = MatchPolicy::TopPriority);
    add_body(
        &store,
        br#"{"tokens": [{"token": "t1", "email": "ann@example.com"}]}"#,
    )
    .unwrap();
    let body =
        br#"{"tokens": [{"token": "t2", "phone": "380500000001", "email": "ann@example.com"}]}"#;
    let request = wire::parse_add_tokens(APP, body, &Limits::default()).unwrap();
    let added = store.add_tokens(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::tokens_added(&added)),
        r#"{"results":[{"contactId":2,"contact":"created","token":"added","subscriberId":"1099511627778","skipped":["email"]}]}"#
    );
}

#[test]
fn r26_r29_a_card_and_its_absence() {
    let store = filled(Ownership::Shared);
    assert_eq!(
        found_by(&store, GivenIdentifiers::new().contact_id(7)),
        r#"{"contact":{"contactId":7,"externalCustomerId":"shop-7","phone":"380500000007","email":"ann@example.com","createdAt":1000,"createdThroughAppUuid":"00000000-0000-0000-0000-00000000000a","tokens":[{"appUuid":"00000000-0000-0000-0000-00000000000a","token":"t1","subscriberId":"1099511627777","addedAt":1000}]},"matchedBy":"contactId"}"#
    );
    // Identifiers that a card does not have are left out.
    assert_eq!(
        found_by(&store, GivenIdentifiers::new().phone("380500000001")),
        r#"{"contact":{"contactId":1,"phone":"380500000001","createdAt":1000,"createdThroughAppUuid":"00000000-0000-0000-0000-00000000000a","tokens":[{"appUuid":"00000000-0000-0000-0000-00000000000a","token":"t2","subscriberId":"1099511627778","addedAt":1000},{"appUuid":"00000000-0000-0000-0000-00000000000a","token":"t1","subscriberId":"1099511627777","addedAt":1000}]},"matchedBy":"phone"}"#
    );
    assert_eq!(
        found_by(&store, GivenIdentifiers::new().email("nobody@example.com")),
        r#"{"contact":null}"#
    );
    let erased = store.remove_token(RemoveToken::of_all(APP, Token::parse("t1").unwrap()));
    assert_eq!(
        text(&wire::token_removed(&erased.wait().unwrap().outcome)),
        r#"{"removedFrom":[7,1]}"#
    );
    let card = store.snapshot().unwrap().contact(id(7)).unwrap().unwrap();
    assert_eq!(
        text(&wire::card(&card)),
        r#"{"contactId":7,"externalCustomerId":"shop-7","phone":"380500000007","email":"ann@example.com","createdAt":1000,"createdThroughAppUuid":"00000000-0000-0000-0000-00000000000a","tokens":[]}"#
    );
}

#[test]
fn r28_an_explanation_with_every_decision() {
    let (store, _) = store_with(|options| options.unknown_contact_id = UnknownContactId::Reject);
    add_body(
        &store,
        br#"{"tokens": [{"token": "t1", "email": "ann@example.com"}]}"#,
    )
    .unwrap();
    let explain = |given: GivenIdentifiers| {
        let now = store.snapshot().unwrap();
        text(&wire::explanation(
            &now.explain(&given.parse().unwrap()).unwrap(),
        ))
    };
    assert_eq!(
        explain(
            GivenIdentifiers::new()
                .phone("380500000001")
                .email("ann@example.com")
        ),
        r#"{"named":{"phone":null,"email":1},"cascade":{"decision":"append","contactId":1,"matchedBy":"email"},"topPriority":{"decision":"create","contactId":2,"identifiers":["phone"],"skipped":["email"]}}"#
    );
    assert_eq!(
        explain(GivenIdentifiers::new().contact_id(9)),
        r#"{"named":{"contactId":null},"cascade":{"decision":"refuse","error":{"code":"unknownContactId","message":"the contact id names no contact"}},"topPriority":{"decision":"refuse","error":{"code":"unknownContactId","message":"the contact id names no contact"}}}"#
    );
}

#[test]
fn r30_r36_reports_subscribers_and_messages() {
    // A time in JSON is no smaller than 10^11 (R54).
    const NOW: u64 = 100_000_001_000;
    let store = filled_at(NOW, Ownership::Shared);
    let body = br#"{"statuses": [
        {"token": "t1", "status": "SENT", "messageId": "m1", "at": 100000000500},
        {"subscriberId": "1099511627777", "status": "CLICKED", "messageId": "m1", "at": 100000000400},
        {"token": "t2", "status": "FAILED", "messageId": "m2"},
        {"token": "t2", "status": "SENT"},
        {"token": "t1"}
    ]}"#;
    let request = wire::parse_reports(APP, body, &Limits::default()).unwrap();
    let recorded = store.record_reports(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::reports_recorded(&recorded)),
        r#"{"results":[{"outcome":"recorded"},{"outcome":"recorded"},{"outcome":"removed"},{"outcome":"unknownSubscriber"},{"error":{"code":"missingMember","message":"statuses[4]: member \"status\" is required","path":"statuses[4]"}}]}"#
    );
    add_body(&store, br#"{"tokens": [{"token": "t3", "contactId": 7}]}"#).unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!(
        text(&wire::subscribers(&now.subscribers(APP, None, 10).unwrap())),
        r#"{"subscribers":[{"subscriberId":"1099511627777","token":"t1","contactIds":[7,1],"lastRegisteredAt":100000001000,"lastStatus":"SENT","lastStatusAt":100000000500,"counts":{"sent":1,"failed":0,"clicked":1}},{"subscriberId":"1099511627779","token":"t3","contactIds":[7],"lastRegisteredAt":100000001000,"counts":{"sent":0,"failed":0,"clicked":0}}]}"#
    );
    let after = Some(subscriber(3));
    assert_eq!(
        text(&wire::subscribers(
            &now.subscribers(APP, after, 10).unwrap()
        )),
        r#"{"subscribers":[]}"#
    );
    assert_eq!(
        text(&wire::messages(&now.messages(APP, None, 10).unwrap())),
        r#"{"messages":[{"messageId":"m1","counts":{"sent":1,"failed":0,"clicked":1},"lastAt":100000000500},{"messageId":"m2","counts":{"sent":0,"failed":1,"clicked":0},"lastAt":100000001000}]}"#
    );
    let forgotten = store
        .forget_messages(APP, at(NOW - 499))
        .wait()
        .unwrap()
        .outcome;
    assert_eq!(
        text(&wire::messages_forgotten(forgotten)),
        r#"{"forgotten":1}"#
    );
}

#[test]
fn the_small_answers() {
    let store = filled(Ownership::Shared);
    let apps = || text(&wire::apps(&store.snapshot().unwrap().apps().unwrap()));
    assert_eq!(
        apps(),
        r#"{"apps":[{"appUuid":"00000000-0000-0000-0000-00000000000a","name":"First bot","subscribers":2,"contacts":2},{"appUuid":"00000000-0000-0000-0000-00000000000b","name":"Second bot","subscribers":0,"contacts":0}]}"#
    );
    // R12: a key is in no answer.
    let name = AppName::parse("Shop").unwrap();
    let key = AccessKey::parse("110201543:secret").unwrap();
    let request = ConnectApp::new(name.clone()).id(OTHER_APP).key(key);
    let connected = store.connect_app(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::app_connected(connected, &name)),
        r#"{"appUuid":"00000000-0000-0000-0000-00000000000b","name":"Shop"}"#
    );
    assert!(!apps().contains("secret"));
    store.disconnect_app(OTHER_APP).wait().unwrap();
    assert_eq!(text(&wire::app_disconnected()), r#"{"disconnected":true}"#);
    for expected in [r#"{"erased":true}"#, r#"{"erased":false}"#] {
        let erased = store.erase(id(7)).wait().unwrap().outcome;
        assert_eq!(text(&wire::erased(erased)), expected);
    }
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(
        text(&wire::verified(&verified)),
        r#"{"verified":true,"problems":[]}"#
    );
}

#[test]
fn text_with_quotes_and_other_alphabets_is_written_so_that_it_reads_back() {
    let (store, _) = store();
    let external = "їжак \"1\" \\ / 🦔 <\u{2003}>";
    let body = serde_json::json!({"tokens": [{"token": external, "externalCustomerId": external}]});
    add_body(&store, body.to_string().as_bytes()).unwrap();
    let found = found_by(
        &store,
        GivenIdentifiers::new().external_customer_id(external),
    );
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["contact"]["externalCustomerId"], external);
    assert_eq!(found["contact"]["tokens"][0]["token"], external);
}

#[test]
fn errors_carry_the_parts_that_a_program_needs() {
    let (store, _) = store();
    let refused = |line: &str| {
        let limits = Limits::default();
        text(&wire::error(
            &wire::Line::parse(line.as_bytes(), &limits).unwrap_err(),
        ))
    };
    let rows = [
        (
            r#"{"find": {"phone": "123"}}"#,
            r#"{"error":{"code":"digitCount","message":"phone of 3 digits, must be 7 to 15","field":"phone"}}"#,
        ),
        (
            r#"{"find": {"phone": true}}"#,
            r#"{"error":{"code":"wrongType","message":"find.phone: expected string or integer from -2^63 to 2^64-1, found boolean","path":"find.phone"}}"#,
        ),
        (
            r#"{"find": {"fone": true}}"#,
            r#"{"error":{"code":"unknownMember","message":"find: member \"fone\" is not known","path":"find"}}"#,
        ),
        (
            r#"{"find": "#,
            r#"{"error":{"code":"syntax","message":"not JSON at line 1, column 9"}}"#,
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(refused(line), expected, "{line}");
    }
    let exceeded: Error = store
        .snapshot()
        .unwrap()
        .subscribers(APP, None, 1_001)
        .unwrap_err();
    assert_eq!(
        text(&wire::error_at_line(&exceeded, 12)),
        r#"{"error":{"code":"limitExceeded","message":"1001 rows in a page, must be 1 to 1000","limit":"pageRows","actual":1001,"most":1000,"line":12}}"#
    );
    // R18 in a request that is refused whole.
    let body = br#"{"tokens": [{"token": "t", "contactId": 7}]}"#;
    let request = wire::parse_add_tokens(APP, body, &Limits::default()).unwrap();
    let request = request
        .mode(BatchMode::AllOrNothing)
        .unknown_contact_id(UnknownContactId::Reject);
    let refused = store.add_tokens(request).wait().unwrap_err();
    assert_eq!(wire::code(&refused), "entryRefused");
    match &refused {
        Error::EntryRefused { error, .. } => {
            assert_eq!(wire::entry_code(error), "unknownContactId")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(report_body(&store, b"{}"), Err("missingMember".to_owned()));
}

// A host's program goes by the codes: each stands in the table, and the table has no others.
#[test]
fn every_code_is_in_the_documentation_and_no_other() {
    let source = include_str!("../../../src/wire/fault.rs");
    let codes = source.lines().filter_map(|line| {
        let (_, code) = line.split_once("=> \"")?;
        code.strip_suffix("\",").map(str::to_owned)
    });
    let limits = [
        "tokensPerContact",
        "customFieldsPerContact",
        "contactsPerToken",
        "appConnections",
        "subscribersOfApp",
        "entriesPerRequest",
        "requestTextBytes",
        "cardTextBytes",
        "pageRows",
    ];
    let codes: BTreeSet<String> = codes
        .filter(|code| !limits.contains(&code.as_str()))
        .collect();
    assert!(codes.len() > 50, "{codes:?}");

    let documentation = include_str!("../../../src/wire/mod.rs");
    let (_, table) = documentation.split_once("//! # Codes").unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"));
    let documented: Vec<String> = rows
        .flat_map(|row| {
            let (codes, _) = row.split_once(" | ").unwrap();
            codes
                .split(", ")
                .map(|code| code.trim_matches('`').to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|code| code != "code")
        .collect();
    assert_eq!(
        documented.len(),
        codes.len(),
        "a code stands in the table twice"
    );
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), codes);
    for code in &codes {
        assert!(
            code.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{code}"
        );
        assert!(
            code.starts_with(|first: char| first.is_ascii_lowercase()),
            "{code}"
        );
    }
}
