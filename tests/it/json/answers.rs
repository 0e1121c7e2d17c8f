//! What answers and errors look like, to the letter.

use std::collections::BTreeSet;

use contact_store::{
    AccessKey, AddTokens, AppName, BatchMode, BringBack, ChangePosition, ConnectApp, ContactStore,
    ContactUpdate, DedupeOn, Erase, Error, GivenIdentifiers, IdentifierKind, KeepChanges, Limits,
    MatchPolicy, Merge, Mute, Ownership, Recipient, RecordReports, RemoveStale, RemoveToken,
    RenameToken, Report, Split, Status, Token, TokenEntry, UnknownContactId, Unmute, Upsert,
    ValueChange, wire,
};

use super::{add_body, report_body, text};
use crate::support::{APP, OTHER_APP, at, id, store, store_with, subscriber};

/// A store with two contacts that share a token, one of them with everything a card can have.
fn filled(ownership: Ownership) -> contact_store::ContactStore {
    filled_at(1_000, ownership)
}

fn filled_at(millis: u64, ownership: Ownership) -> contact_store::ContactStore {
    let (store, clock) = store_with(|options| options.ownership = ownership);
    clock.set(at(millis));
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
fn a_card_is_read_back_as_it_was_written() {
    // A time in JSON is no smaller than 10^11 (R54).
    let store = filled_at(100_000_001_000, Ownership::Shared);
    let limits = Limits::default();
    let now = store.snapshot().unwrap();
    let update = ContactUpdate::new()
        .contact_id(7)
        .first_name("Ann")
        .last_name("")
        .language_code("uk")
        .time_zone("Europe/Kyiv")
        .field("city", "Kyiv");
    let request = Upsert::new(DedupeOn::ContactId).contact(update);
    let upserted = store.upsert(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::contact_upserted(upserted[0].as_ref().unwrap())),
        r#"{"contactId":7,"contact":"updated","matchedBy":"contactId"}"#
    );
    let mut cards = now.contacts(None, 10).unwrap();
    cards.extend(store.snapshot().unwrap().contacts(None, 10).unwrap());
    assert!(cards.len() > 2);
    for card in cards {
        let json = text(&wire::card(&card));
        assert_eq!(
            wire::parse_card(json.as_bytes(), &limits).unwrap(),
            card,
            "{json}"
        );
    }
}

#[test]
fn r52_r55_what_is_no_card_is_refused_with_its_place() {
    let app = "00000000-0000-0000-0000-00000000000a";
    let token = |token: &str| {
        format!(r#"{{"contactId": 1, "createdAt": 100000000000, "tokens": [{token}]}}"#)
    };
    let rows = [
        ("[]".to_owned(), "expected object, found array"),
        ("{}".to_owned(), "member \"contactId\" is required"),
        (
            r#"{"contactId": 1}"#.to_owned(),
            "member \"createdAt\" is required",
        ),
        (
            r#"{"contactId": 1, "createdAt": 100000000000}"#.to_owned(),
            "member \"tokens\" is required",
        ),
        (
            r#"{"contactId": 0, "createdAt": 100000000000, "tokens": []}"#.to_owned(),
            "contactId must be an integer from 1 to 9223372036854775807",
        ),
        (
            r#"{"contactId": 1, "phone": "12", "createdAt": 100000000000, "tokens": []}"#.to_owned(),
            "phone of 2 digits, must be 7 to 15",
        ),
        (
            r#"{"contactId": 1, "fields": {"city": 7}, "createdAt": 100000000000, "tokens": []}"#.to_owned(),
            "fields.city: expected string, found number",
        ),
        (
            r#"{"contactId": 1, "fields": {"a@example.com": 7}, "createdAt": 100000000000, "tokens": []}"#
                .to_owned(),
            "fields: expected string, found number",
        ),
        (token("7"), "tokens[0]: expected object, found number"),
        (token("{}"), "tokens[0]: member \"appUuid\" is required"),
        (
            token(&format!(
                r#"{{"appUuid": "{app}", "token": "t", "subscriberId": 1}}"#
            )),
            "tokens[0].subscriberId: expected string, found number",
        ),
        (
            token(&format!(
                r#"{{"appUuid": "{app}", "token": "t", "subscriberId": "1"}}"#
            )),
            "tokens[0]: member \"addedAt\" is required",
        ),
    ];
    for (json, expected) in rows {
        let refused = wire::parse_card(json.as_bytes(), &Limits::default());
        assert_eq!(refused.unwrap_err().to_string(), expected, "{json}");
    }
}

#[test]
fn r25_r36_one_outcome_is_written_as_it_stands_among_the_results() {
    let store = filled(Ownership::Shared);
    let entry = TokenEntry::new("t1").email("ann@example.com");
    let refused = TokenEntry::new("t1");
    let request = AddTokens::new(APP).entry(entry).entry(refused);
    let added = store.add_tokens(request).wait().unwrap().outcome;
    let results = format!(
        r#"{{"results":[{},{}]}}"#,
        text(&wire::token_added(added.entries[0].as_ref().unwrap())),
        text(&wire::entry_error(added.entries[1].as_ref().unwrap_err())),
    );
    assert_eq!(results, text(&wire::tokens_added(&added)));
    let report = Report::new(Status::Sent).token("t1");
    let request = RecordReports::new(APP).report(report);
    let recorded = store.record_reports(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::report_recorded(recorded[0].as_ref().unwrap())),
        r#"{"outcome":"recorded"}"#
    );
}

#[test]
fn r45_r57_tokens_are_removed_and_renamed() {
    let store = filled(Ownership::Shared);
    let limits = Limits::default();
    let rename = |body: &[u8]| {
        let request = wire::parse_rename_token(APP, body, &limits).unwrap();
        text(&wire::token_renamed(
            &store.rename_token(request).wait().unwrap().outcome,
        ))
    };
    assert_eq!(
        rename(br#"{"token": "t2", "newToken": -100}"#),
        r#"{"outcome":"renamed","subscriberId":"1099511627778","contactIds":[1]}"#
    );
    assert_eq!(
        rename(br#"{"token": "t1", "newToken": "-100"}"#),
        r#"{"outcome":"joined","subscriberId":"1099511627777","joinedSubscriberId":"1099511627778","contactIds":[7,1]}"#
    );
    assert_eq!(
        rename(br#"{"token": "t2", "newToken": "t3"}"#),
        r#"{"outcome":"unknownSubscriber"}"#
    );
    let remove = |body: &[u8]| {
        let request = wire::parse_remove_token(APP, body, &limits).unwrap();
        text(&wire::token_removed(
            &store.remove_token(request).wait().unwrap().outcome,
        ))
    };
    assert_eq!(
        remove(br#"{"token": -100, "contactId": "7"}"#),
        r#"{"removedFrom":[7]}"#
    );
    assert_eq!(remove(br#"{"token": -100}"#), r#"{"removedFrom":[1]}"#);
}

#[test]
fn r56_pages_of_contacts() {
    let (store, _) = store_with(|_| {});
    let body = br#"{"tokens": [{"token": "t1", "contactId": 1}, {"token": "t1", "contactId": 2}]}"#;
    add_body(&store, body).unwrap();
    let now = store.snapshot().unwrap();
    let card = |id: u64| {
        let app = "00000000-0000-0000-0000-00000000000a";
        format!(
            r#"{{"contactId":{id},"createdAt":1000,"createdThroughAppUuid":"{app}","tokens":[{{"appUuid":"{app}","token":"t1","subscriberId":"1099511627777","addedAt":1000}}]}}"#
        )
    };
    assert_eq!(
        text(&wire::contacts(&now.contacts(None, 5).unwrap())),
        format!(r#"{{"contacts":[{},{}]}}"#, card(1), card(2))
    );
    let limits = Limits::default();
    let question = |body: &[u8]| wire::parse_contacts_page(body, &limits);
    let (after, limit) = question(br#"{"limit": "1"}"#).unwrap();
    let page = now.contacts_of(APP, after, limit.unwrap()).unwrap();
    assert_eq!(
        text(&wire::contact_page(&page)),
        format!(r#"{{"contacts":[{}],"next":1}}"#, card(1))
    );
    assert_eq!(question(br#"{"after": 1}"#).unwrap(), (page.next, None));
    assert_eq!(question(br#"{"after": "1"}"#).unwrap(), (page.next, None));
    let page = now.contacts_of(APP, page.next, 5).unwrap();
    assert_eq!(
        text(&wire::contact_page(&page)),
        format!(r#"{{"contacts":[{}]}}"#, card(2))
    );
    let refused = question(br#"{"after": 0}"#).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "contactId must be an integer from 1 to 9223372036854775807"
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
    muting_is_answered(&store);
    let stale = RemoveStale::new(APP, at(NOW + 1));
    let counted = store.remove_stale(stale.dry_run(true)).wait().unwrap();
    assert_eq!(
        text(&wire::stale_removed(counted.outcome)),
        r#"{"subscribers":2,"takenOff":3,"dryRun":true}"#
    );
    let removed = store.remove_stale(stale).wait().unwrap();
    assert_eq!(
        text(&wire::stale_removed(removed.outcome)),
        r#"{"subscribers":2,"takenOff":3,"dryRun":false}"#
    );
}

#[test]
fn r60_a_page_of_changes_of_every_kind() {
    let (store, clock) = store_with(|options| {
        options.ownership = Ownership::Exclusive;
        options.change_feed = Some(KeepChanges::default());
    });
    clock.set(at(1_000));
    let add = |token: &str, id: u64| {
        let body =
            format!(r#"{{"tokens": [{{"token": "{token}", "externalCustomerId": "{id}"}}]}}"#);
        add_body(&store, body.as_bytes()).unwrap();
    };
    add("t1", 1);
    add("t1", 2);
    let [old, new] = ["t1", "t2"].map(|token| Token::parse(token).unwrap());
    let rename = RenameToken::new(APP, old, new);
    store.rename_token(rename).wait().unwrap();
    let removed = Token::parse("t2").unwrap();
    store
        .remove_token(RemoveToken::of_all(APP, removed))
        .wait()
        .unwrap();
    let body = br#"{"dedupeOn": "externalCustomerId", "contacts": [{"externalCustomerId": "2", "firstName": "Ann"}]}"#;
    let upsert = wire::parse_upsert(body, &Limits::default()).unwrap();
    store.upsert(upsert).wait().unwrap().outcome.all().unwrap();
    store.erase(id(1)).wait().unwrap();
    let name = AppName::parse("Another").unwrap();
    store
        .connect_app(ConnectApp::new(name).id(APP))
        .wait()
        .unwrap();
    store.disconnect_app(APP).wait().unwrap();
    let now = store.snapshot().unwrap();
    let page = now
        .changes(ChangePosition::parse("1").unwrap(), 100)
        .unwrap();
    let of = r#""appUuid":"00000000-0000-0000-0000-00000000000a""#;
    let second = r#""appUuid":"00000000-0000-0000-0000-00000000000b""#;
    let sub = r#""subscriberId":"1099511627777""#;
    let rows = [
        format!(r#"{{"position":"2.1","at":1000,"change":"appConnected",{second}}}"#),
        r#"{"position":"4.2","at":1000,"change":"contactCreated","contactId":2}"#.to_owned(),
        format!(r#"{{"position":"4.3","at":1000,"change":"tokenMoved","contactId":2,{of},{sub}}}"#),
        format!(
            r#"{{"position":"5.1","at":1000,"change":"tokenRenamed","contactId":2,{of},{sub}}}"#
        ),
        format!(
            r#"{{"position":"6.1","at":1000,"change":"tokenRemoved","contactId":2,{of},{sub},"why":"removed"}}"#
        ),
        r#"{"position":"7.1","at":1000,"change":"contactUpdated","contactId":2}"#.to_owned(),
        r#"{"position":"8.1","at":1000,"change":"contactErased","contactId":1}"#.to_owned(),
        format!(r#"{{"position":"9.1","at":1000,"change":"appUpdated",{of}}}"#),
        format!(r#"{{"position":"10.1","at":1000,"change":"appDisconnected",{of}}}"#),
    ];
    let rows = rows.join(",");
    assert_eq!(
        text(&wire::changes(&page)),
        format!(r#"{{"changes":[{rows}],"position":"10.1","more":false}}"#)
    );
    let page = now.changes(ChangePosition::START, 1).unwrap();
    let first = format!(r#"{{"position":"1.1","at":1000,"change":"appConnected",{of}}}"#);
    assert_eq!(
        text(&wire::changes(&page)),
        format!(r#"{{"changes":[{first}],"position":"1.1","more":true}}"#)
    );
}

#[test]
fn r60_a_question_for_a_page_of_changes() {
    let limits = Limits::default();
    let parse = |body: &str| wire::parse_changes_page(body.as_bytes(), &limits);
    let rows = [
        ("{}", None, None, None),
        (
            r#"{"after": null, "limit": null, "wait": null}"#,
            None,
            None,
            None,
        ),
        (
            r#"{"after": 17, "limit": 5, "wait": 0}"#,
            Some("17"),
            Some(5),
            Some(0),
        ),
        (
            r#"{"after": "17.3", "limit": "5", "wait": "60"}"#,
            Some("17.3"),
            Some(5),
            Some(60),
        ),
    ];
    for (body, after, limit, wait) in rows {
        let question = parse(body).unwrap();
        let after = after.map(|after| ChangePosition::parse(after).unwrap());
        assert_eq!(
            (question.after, question.limit, question.wait_seconds),
            (after, limit, wait),
            "{body}"
        );
    }
    let rows = [
        (r#"{"after": ""}"#, "notAChangePosition"),
        (r#"{"after": -1}"#, "notAChangePosition"),
        (r#"{"after": 17.3}"#, "wrongType"),
        (r#"{"after": []}"#, "wrongType"),
        (r#"{"wait": 61}"#, "notOneOf"),
        (r#"{"wait": "+1"}"#, "notOneOf"),
        (r#"{"wait": true}"#, "wrongType"),
        (r#"{"limit": -1}"#, "notOneOf"),
        (r#"{"waits": 1}"#, "unknownMember"),
    ];
    for (body, code) in rows {
        assert_eq!(wire::code(&parse(body).unwrap_err()), code, "{body}");
    }
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
        "suppressedIdentifiers",
        "mergesPerContact",
        "answerBytes",
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

/// R59: of the first subscriber, which is not muted before and after.
fn muting_is_answered(store: &ContactStore) {
    let listed = store.snapshot().unwrap().subscribers(APP, None, 1);
    let listed = listed.unwrap().remove(0);
    let (id, contact, token) = (listed.id, listed.contacts[0], listed.token);
    let nobody = Token::parse("nobody").unwrap();
    let mute = |request| {
        text(&wire::token_muted(
            &store.mute(request).wait().unwrap().outcome,
        ))
    };
    let unmute = |token: &Token| {
        let request = Unmute::new(APP, token.clone());
        text(&wire::token_unmuted(
            &store.unmute(request).wait().unwrap().outcome,
        ))
    };
    let shown = || {
        let now = store.snapshot().unwrap();
        let resolved = now.resolve(Recipient::Subscriber(id)).unwrap();
        let subscriber = now.subscriber(id).unwrap().unwrap();
        (
            text(&wire::subscriber(&subscriber)),
            text(&wire::recipients(&resolved)),
        )
    };
    let until = 5_000_000_000_000_u64;
    assert_eq!(
        mute(Mute::new(APP, token.clone()).until(at(until))),
        format!(r#"{{"outcome":"muted","subscriberId":"{id}","until":{until}}}"#)
    );
    let (subscriber, recipients) = shown();
    let muted = format!(r#","muted":{{"until":{until}}},"counts":"#);
    assert!(subscriber.contains(&muted), "{subscriber}");
    let muted = format!(r#"{{"subscriberId":"{id}","contactId":{contact},"until":{until}}}"#);
    assert_eq!(
        recipients,
        format!(r#"{{"recipients":[],"muted":[{muted}]}}"#)
    );
    assert_eq!(
        mute(Mute::new(APP, token.clone())),
        format!(r#"{{"outcome":"muted","subscriberId":"{id}"}}"#)
    );
    let (subscriber, recipients) = shown();
    assert!(
        subscriber.contains(r#","muted":{},"counts":"#),
        "{subscriber}"
    );
    let muted = format!(r#"{{"subscriberId":"{id}","contactId":{contact}}}"#);
    assert_eq!(
        recipients,
        format!(r#"{{"recipients":[],"muted":[{muted}]}}"#)
    );
    let unknown = r#"{"outcome":"unknownSubscriber"}"#;
    assert_eq!(mute(Mute::new(APP, nobody.clone())), unknown);
    for outcome in ["unmuted", "notMuted"] {
        let expected = format!(r#"{{"outcome":"{outcome}","subscriberId":"{id}"}}"#);
        assert_eq!(unmute(&token), expected);
    }
    assert_eq!(unmute(&nobody), unknown);
    let (subscriber, recipients) = shown();
    assert!(!subscriber.contains("muted") && !recipients.contains("muted"));
}

#[test]
fn r65_what_is_suppressed_is_answered_by_kind() {
    let (store, _) = store();
    let entry = || {
        TokenEntry::new("t")
            .email("ann@example.com")
            .phone("380500000001")
    };
    let add = || store.add_tokens(AddTokens::new(APP).entry(entry())).wait();
    let added = add().unwrap().outcome.entries.into_single().unwrap();
    let erase = || store.erase(Erase::new(added.contact).suppress()).wait();
    assert_eq!(
        text(&wire::erased(erase().unwrap().outcome)),
        r#"{"erased":true,"suppressed":["phone","email"]}"#
    );
    assert_eq!(
        text(&wire::erased(erase().unwrap().outcome)),
        r#"{"erased":false}"#
    );
    assert_eq!(
        text(&wire::tokens_added(&add().unwrap().outcome)),
        r#"{"results":[{"error":{"code":"suppressed","message":"phone is suppressed","kind":"phone"}}]}"#
    );
    let ann = || GivenIdentifiers::new().email("ann@example.com").parse();
    for expected in [r#"{"lifted":["email"]}"#, r#"{"lifted":[]}"#] {
        let lifted = store.lift_suppression(ann().unwrap()).wait().unwrap();
        assert_eq!(text(&wire::suppression_lifted(lifted.outcome)), expected);
    }
}

#[test]
fn r61_conflicts_are_listed_and_dismissed() {
    let (store, _) = store_with(|options| options.conflicts = 1);
    let entries = ["380500000001", "380500000002"].map(|phone| TokenEntry::new("t").phone(phone));
    let both = TokenEntry::new("t").phone("380500000001").contact_id(2);
    let request = AddTokens::new(APP).entries(entries).entry(both);
    store
        .add_tokens(request)
        .wait()
        .unwrap()
        .outcome
        .entries
        .all()
        .unwrap();
    let listed = store.snapshot().unwrap().conflicts(None, 1).unwrap();
    let at = listed[0].first_at.as_millis();
    assert_eq!(
        text(&wire::conflicts(&listed)),
        format!(
            r#"{{"conflicts":[{{"pair":"1-2","contacts":[{{"contactId":1,"namedBy":["phone"]}},{{"contactId":2,"namedBy":["contactId"]}}],"count":1,"firstAt":{at},"lastAt":{at}}}]}}"#
        )
    );
    for expected in ["dismissed", "notListed"] {
        let dismissed = store.dismiss_conflict(id(1), id(2)).wait().unwrap().outcome;
        let expected = format!(r#"{{"outcome":"{expected}"}}"#);
        assert_eq!(text(&wire::conflict_dismissed(dismissed)), expected);
    }
}

#[test]
fn r63_what_comes_back_is_answered() {
    let (store, _) = store_with(|options| options.remember_blocked = 1);
    for id in [1, 2] {
        let entry = TokenEntry::new("t").external_customer_id(format!("c{id}"));
        let added = store.add_tokens(AddTokens::new(APP).entry(entry)).wait();
        assert!(added.unwrap().outcome.entries[0].is_ok());
    }
    let failed = RecordReports::new(APP).report(Report::new(Status::Failed).token("t"));
    store.record_reports(failed).wait().unwrap();
    let back = || {
        let request = BringBack::new(APP, Token::parse("t").unwrap());
        text(&wire::token_brought_back(
            &store.bring_back(request).wait().unwrap().outcome,
        ))
    };
    assert_eq!(
        back(),
        r#"{"outcome":"broughtBack","subscriberId":"1099511627778","contactIds":[1,2]}"#
    );
    assert_eq!(back(), r#"{"outcome":"notRemembered"}"#);
}

#[test]
fn r58_merges_and_what_takes_them_apart() {
    let (store, _) = store();
    let ann = ContactUpdate::new()
        .phone("380500000001")
        .first_name("Ann")
        .field("city", "Kyiv");
    let anna = ContactUpdate::new()
        .phone("380500000002")
        .email("ann@example.com")
        .first_name("Anna")
        .last_name("Lee")
        .field("city", "Lviv")
        .field("plan", "free");
    let upsert = Upsert::new(DedupeOn::Phone).contacts([ann, anna]);
    store.upsert(upsert).wait().unwrap();
    for (token, phone) in [("t", 1), ("t", 2), ("u", 2)] {
        let entry = TokenEntry::new(token).phone(format!("38050000000{phone}"));
        store
            .add_tokens(AddTokens::new(APP).entry(entry))
            .wait()
            .unwrap();
    }
    let merged = store
        .merge(Merge::new(id(2), id(1)))
        .wait()
        .unwrap()
        .outcome;
    assert_eq!(
        text(&wire::merged(&merged)),
        r#"{"from":2,"into":1,"identifiers":["email"],"fields":["lastName"],"customFields":["plan"],"#
            .to_owned()
            + r#""subscriberIds":["1099511627778"],"sharedSubscriberIds":["1099511627777"],"#
            + r#""kept":{"identifiers":["phone"],"fields":["firstName"],"customFields":["city"]}}"#
    );
    let inside = store.snapshot().unwrap().merged_contacts(id(1)).unwrap();
    let since = inside[0].merged_at.as_millis();
    assert_eq!(
        text(&wire::merged_contacts(&inside)),
        format!(
            r#"{{"merged":[{{"contactId":2,"mergedAt":{since},"identifiers":["phone","email"]}}]}}"#
        )
    );
    let other = ContactUpdate::new().phone("380500000002");
    store
        .upsert(Upsert::new(DedupeOn::Phone).contact(other))
        .wait()
        .unwrap();
    let remove = RemoveToken::of_all(APP, Token::parse("u").unwrap());
    store.remove_token(remove).wait().unwrap();
    let unmerged = store.unmerge(id(2)).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::unmerged(&unmerged)),
        r#"{"contactId":2,"from":1,"identifiers":["email"],"fields":["firstName","lastName"],"#
            .to_owned()
            + r#""customFields":["city","plan"],"subscriberIds":["1099511627777"],"notGivenBack":"#
            + r#"{"identifiers":[{"kind":"phone","contactId":3}],"subscriberIds":["1099511627778"]}}"#
    );
    let split = Split::new(id(2)).identifier(IdentifierKind::Email);
    let split = store.split(split).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::split_off(&split)),
        r#"{"contactId":4,"from":2,"identifiers":["email"]}"#
    );
    // Its email is erased with another contact.
    store.merge(Merge::new(id(4), id(1))).wait().unwrap();
    let ann = ContactUpdate::new().phone("380500000001");
    let other = ContactUpdate::new().email("ann@example.com");
    for (found_by, update) in [
        (DedupeOn::Phone, ann.email(ValueChange::Remove)),
        (DedupeOn::Email, other),
    ] {
        let upsert = Upsert::new(found_by).contact(update);
        store.upsert(upsert).wait().unwrap();
    }
    assert!(store.erase(id(5)).wait().unwrap().outcome.erased);
    let unmerged = store.unmerge(id(4)).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::unmerged(&unmerged)),
        r#"{"contactId":4,"from":1,"notGivenBack":{"erased":["email"]}}"#
    );
    let refused = store.merge(Merge::new(id(1), id(1))).wait().unwrap_err();
    assert_eq!(
        text(&wire::error(&refused)),
        r#"{"error":{"code":"mergeIntoItself","message":"contact 1 cannot be merged into itself","contactId":1}}"#
    );
    let split = Split::new(id(2)).identifier(IdentifierKind::Email);
    let refused = store.split(split).wait().unwrap_err();
    assert_eq!(
        text(&wire::error(&refused)),
        r#"{"error":{"code":"noSuchIdentifier","message":"contact 2 has no email to split off","kind":"email","contactId":2}}"#
    );
}
