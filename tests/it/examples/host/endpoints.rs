//! Each endpoint: what it takes and what it answers, to the letter.

use super::client::{APP, Client};
use super::process::Host;

/// A host with people in it: Ann, contact 1, with a token and a phone, and Bob, contact 7.
fn with_people() -> (Host, Client) {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let body = r#"{"tokens": [
        {"token": "t1", "externalCustomerId": "shop-1", "phone": "+380 50 000 00 01", "email": "Ann@Example.com"},
        {"token": 500001, "contactId": 7, "email": "bob@example.com"}
    ]}"#;
    client.post(&format!("/v1/apps/{APP}/tokens"), body).is(
        200,
        r#"{"results": [
            {"contactId": 1, "contact": "created", "token": "added", "subscriberId": "1099511627777"},
            {"contactId": 7, "contact": "created", "token": "added", "subscriberId": "1099511627778"}
        ]}"#,
    );
    (host, client)
}

fn ann() -> String {
    format!(
        r#"{{"contactId": 1, "externalCustomerId": "shop-1", "phone": "380500000001",
            "email": "ann@example.com", "createdThroughAppUuid": "{APP}",
            "tokens": [{{"appUuid": "{APP}", "token": "t1", "subscriberId": "1099511627777"}}]}}"#
    )
}

// R11, R12, R37.
#[test]
fn apps_are_connected_and_listed_with_their_counts_and_without_their_keys() {
    let (host, client) = with_people();
    let made = client.post("/v1/apps", r#"{"name": "Another", "key": "open sesame"}"#);
    let id = made.json()["appUuid"].as_str().unwrap().to_owned();
    made.is(200, &format!(r#"{{"appUuid": "{id}", "name": "Another"}}"#));
    let renamed = format!(
        r#"{{"name": "Bot 2", "appUuid": "{{{}}}"}}"#,
        APP.to_uppercase()
    );
    client
        .post("/v1/apps", renamed)
        .is(200, &format!(r#"{{"appUuid": "{APP}", "name": "Bot 2"}}"#));
    let listed = format!(
        r#"{{"apps": [
            {{"appUuid": "{APP}", "name": "Bot 2", "subscribers": 2, "contacts": 2}},
            {{"appUuid": "{id}", "name": "Another", "subscribers": 0, "contacts": 0}}
        ]}}"#
    );
    client.get("/v1/apps").is(200, &listed);
    host.stop();
}

// R23: what is wrong with an entry is in its place.
#[test]
fn tokens_are_added_and_refused_entry_by_entry() {
    let (host, client) = with_people();
    let body = r#"{"tokens": [
        {"token": "t1", "email": "ann@example.com"},
        {"token": "t2", "phone": "0500000001"},
        {"token": "t3", "email": "ann@example.com", "phone": "+380500000009"},
        {"phone": "+380500000009"},
        {"token": "t4", "emial": "ann@example.com"},
        {"token": "t4"}
    ]}"#;
    client.post(&format!("/v1/apps/{APP}/tokens"), body).is(
        200,
        r#"{"results": [
            {"contactId": 1, "contact": "found", "matchedBy": "email", "token": "alreadyHeld", "subscriberId": "1099511627777"},
            {"error": {"code": "leadingZero", "field": "phone",
                "message": "phone begins with 0, must begin with a country code"}},
            {"contactId": 1, "contact": "found", "matchedBy": "email", "token": "added", "subscriberId": "1099511627779"},
            {"error": {"code": "missingMember", "path": "tokens[3]",
                "message": "tokens[3]: member \"token\" is required"}},
            {"error": {"code": "unknownMember", "path": "tokens[4]",
                "message": "tokens[4]: member \"emial\" is not known"}},
            {"error": {"code": "noIdentifier", "message": "at least one identifier is required"}}
        ]}"#,
    );
    client
        .post(&format!("/v1/apps/{APP}/tokens"), r#"{"tokens": []}"#)
        .is(200, r#"{"results": []}"#);
    host.stop();
}

// R30, R31, R33, R36.
#[test]
fn statuses_are_recorded_and_forbidden_takes_the_token_off() {
    let (host, client) = with_people();
    let body = r#"{"statuses": [
        {"token": "t1", "status": "SENT", "messageId": "m1", "at": 100000000005},
        {"subscriberId": "1099511627778", "status": "FAILED", "reason": "Forbidden: bot was blocked by the user", "messageId": "m2"},
        {"token": "nobody", "status": "CLICKED"},
        {"token": "t1", "subscriberId": "1099511627777", "status": "CLICKED"},
        {"token": "t1", "status": "READ"}
    ]}"#;
    client.post(&format!("/v1/apps/{APP}/statuses"), body).is(
        200,
        r#"{"results": [
            {"outcome": "recorded"},
            {"outcome": "removed"},
            {"outcome": "unknownSubscriber"},
            {"error": {"code": "oneOfTokenAndSubscriber",
                "message": "exactly one of token and subscriberId is required"}},
            {"error": {"code": "notOneOf", "path": "statuses[4].status",
                "message": "statuses[4].status: expected SENT, FAILED or CLICKED"}}
        ]}"#,
    );
    client.get("/v1/contacts/7").is(
        200,
        &format!(
            r#"{{"contactId": 7, "email": "bob@example.com", "createdThroughAppUuid": "{APP}", "tokens": []}}"#
        ),
    );
    client.get(&format!("/v1/apps/{APP}/messages")).is(
        200,
        r#"{"messages": [
                {"messageId": "m1", "counts": {"sent": 1, "failed": 0, "clicked": 0}},
                {"messageId": "m2", "counts": {"sent": 0, "failed": 1, "clicked": 0}}
            ]}"#,
    );
    client.get(&format!("/v1/apps/{APP}/subscribers")).is(
        200,
        r#"{"subscribers": [{"subscriberId": "1099511627777", "token": "t1", "contactIds": [1],
            "lastStatus": "SENT", "counts": {"sent": 1, "failed": 0, "clicked": 0}}]}"#,
    );
    host.stop();
}

// K8, R45.
#[test]
fn a_token_is_removed_from_one_contact_or_from_all() {
    let (host, client) = with_people();
    client.add("t1", "bob@example.com").unwrap();
    let remove = |body: &str| client.post(&format!("/v1/apps/{APP}/tokens/remove"), body);
    remove(r#"{"token": "t1", "contactId": "7"}"#).is(200, r#"{"removedFrom": [7]}"#);
    remove(r#"{"token": "t1", "contactId": 7}"#).is(200, r#"{"removedFrom": []}"#);
    client.add("t1", "bob@example.com").unwrap();
    remove(r#"{"token": "t1", "contactId": null}"#).is(200, r#"{"removedFrom": [1, 7]}"#);
    // A chat id is a number as well.
    remove(r#"{"token": 500001}"#).is(200, r#"{"removedFrom": [7]}"#);
    remove(r#"{"token": "nobody"}"#).is(200, r#"{"removedFrom": []}"#);
    client
        .get(&format!("/v1/apps/{APP}/subscribers"))
        .is(200, r#"{"subscribers": []}"#);
    let rows = [
        ("{}", "missingMember", "member \"token\" is required"),
        (
            r#"{"token": "t", "email": "ann@example.com"}"#,
            "unknownMember",
            "member \"email\" is not known",
        ),
    ];
    for (body, code, message) in rows {
        remove(body).is_error(400, code, message);
    }
    let placed = [
        (
            r#"{"token": ""}"#,
            "blank",
            "token is empty or only white space",
            ("field", "token"),
        ),
        (
            r#"{"token": "t", "contactId": 0}"#,
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            r#"{"token": ["t"]}"#,
            "wrongType",
            "token: expected string or integer from -2^63 to 2^64-1, found array",
            ("path", "token"),
        ),
    ];
    for (body, code, message, (member, place)) in placed {
        let error = serde_json::json!(
            {"error": {"code": code, "message": message, (member): place}}
        );
        remove(body).is(400, &error.to_string());
    }
    host.stop();
}

// K8, R57.
#[test]
fn r57_a_token_is_renamed_and_joined_with_one_that_there_is() {
    let (host, client) = with_people();
    let rename = |body: &str| client.post(&format!("/v1/apps/{APP}/tokens/rename"), body);
    // A chat id is a number as well.
    rename(r#"{"token": "t1", "newToken": -1001}"#).is(
        200,
        r#"{"outcome": "renamed", "subscriberId": "1099511627777", "contactIds": [1]}"#,
    );
    let again = r#"{"token": "t1", "newToken": -1001}"#;
    rename(again).is(200, r#"{"outcome": "unknownSubscriber"}"#);
    rename(r#"{"token": "-1001", "newToken": 500001}"#).is(
        200,
        r#"{"outcome": "joined", "subscriberId": "1099511627777",
            "joinedSubscriberId": "1099511627778", "contactIds": [1, 7]}"#,
    );
    let card = client.get("/v1/contacts/1").json();
    assert_eq!(card["tokens"][0]["token"], "500001");
    let rows = [
        ("{}", "missingMember", "member \"token\" is required"),
        (
            r#"{"token": "t"}"#,
            "missingMember",
            "member \"newToken\" is required",
        ),
        (
            r#"{"token": "t", "newToken": "u", "contactId": 1}"#,
            "unknownMember",
            "member \"contactId\" is not known",
        ),
    ];
    for (body, code, message) in rows {
        rename(body).is_error(400, code, message);
    }
    host.stop();
}

// R56.
#[test]
fn r56_all_contacts_and_those_of_an_app_are_listed_in_pages() {
    let (host, client) = with_people();
    let item = r#"{"dedupeOn": "email", "contacts": [{"email": "carl@example.com"}]}"#;
    client.post("/v1/contacts", item);
    let ids = |page: serde_json::Value| {
        let cards = page["contacts"].as_array().unwrap().clone();
        let ids = cards.iter().map(|card| card["contactId"].as_u64().unwrap());
        (ids.collect::<Vec<_>>(), page["next"].as_u64())
    };
    let all = |query: &str| ids(client.get(&format!("/v1/contacts/list{query}")).json());
    assert_eq!(all(""), (vec![1, 2, 7], None));
    assert_eq!(all("?limit=2"), (vec![1, 2], None));
    assert_eq!(all("?after=2&limit=2"), (vec![7], None));
    assert_eq!(all("?after=7"), (vec![], None));
    let of_app = |query: &str| {
        ids(client
            .get(&format!("/v1/apps/{APP}/contacts{query}"))
            .json())
    };
    assert_eq!(of_app(""), (vec![1, 7], None));
    assert_eq!(of_app("?limit=1"), (vec![1], Some(1)));
    assert_eq!(of_app("?after=1"), (vec![7], None));
    let first = client.get("/v1/contacts/list?limit=1").json();
    assert_eq!(first["contacts"][0], client.get("/v1/contacts/1").json());
    assert_eq!(
        client.get("/v1/contacts/list?limit=0").code(),
        "limitExceeded"
    );
    assert_eq!(
        client.get("/v1/contacts/list?after=0").code(),
        "contactIdOutOfRange"
    );
    assert_eq!(
        client.get("/v1/contacts/list?email=ann@example.com").code(),
        "unknownMember"
    );
    host.stop();
}

// K8, R11.
#[test]
fn an_app_is_disconnected_and_then_unknown() {
    let (host, client) = with_people();
    let app = format!("DELETE /v1/apps/{APP}");
    client.ask(&app, "").is(200, r#"{"disconnected": true}"#);
    let message = format!("app {APP} is not connected");
    client.ask(&app, "").is_error(404, "unknownApp", &message);
    client.get("/v1/apps").is(200, r#"{"apps": []}"#);
    assert_eq!(client.add("t", "ann@example.com").unwrap().status, 404);
    assert_eq!(
        client.get("/v1/contacts/1").json()["tokens"],
        serde_json::json!([])
    );
    let log = host.stop().log;
    assert!(
        log.contains(&format!("method=DELETE path=/v1/apps/{APP} status=200")),
        "{log}"
    );
}

// K8, R30.
#[test]
fn old_message_tallies_are_forgotten() {
    let (host, client) = with_people();
    let body = r#"{"statuses": [
        {"token": "t1", "status": "SENT", "messageId": "m1", "at": 1700000000000},
        {"token": "t1", "status": "SENT", "messageId": "m2", "at": 1700000000001}
    ]}"#;
    client.post(&format!("/v1/apps/{APP}/statuses"), body);
    let forget = |body: &str| client.post(&format!("/v1/apps/{APP}/messages/forget"), body);
    forget(r#"{"before": 1700000000001}"#).is(200, r#"{"forgotten": 1}"#);
    forget(r#"{"before": 1700000000001}"#).is(200, r#"{"forgotten": 0}"#);
    let left = client.get(&format!("/v1/apps/{APP}/messages")).json();
    assert_eq!(left["messages"][0]["messageId"], "m2");
    assert_eq!(left["messages"].as_array().unwrap().len(), 1);
    forget("{}").is_error(400, "missingMember", "member \"before\" is required");
    assert_eq!(forget(r#"{"before": "now"}"#).code(), "wrongType");
    host.stop();
}

// R62.
#[test]
fn stale_subscribers_are_counted_and_then_removed() {
    let (host, client) = with_people();
    let remove = |body: &str| client.post(&format!("/v1/apps/{APP}/stale/remove"), body);
    remove(r#"{"before": 1700000000000}"#)
        .is(200, r#"{"subscribers": 0, "takenOff": 0, "dryRun": false}"#);
    remove(r#"{"before": 99999999999999, "dryRun": true}"#)
        .is(200, r#"{"subscribers": 2, "takenOff": 2, "dryRun": true}"#);
    let listed = || client.get("/v1/apps").json()["apps"][0]["subscribers"].take();
    assert_eq!(listed(), 2);
    remove(r#"{"before": 99999999999999}"#)
        .is(200, r#"{"subscribers": 2, "takenOff": 2, "dryRun": false}"#);
    assert_eq!(listed(), 0);
    assert_eq!(
        client.get("/v1/contacts/7").json()["tokens"],
        serde_json::json!([])
    );
    remove("{}").is_error(400, "missingMember", "member \"before\" is required");
    let wrong = remove(r#"{"before": 1700000000000, "dryRun": 1}"#);
    assert_eq!(wrong.code(), "wrongType");
    host.stop();
}

// R59.
#[test]
fn a_subscriber_is_muted_and_unmuted_and_left_out_meanwhile() {
    let (host, client) = with_people();
    let listed = || client.get(&format!("/v1/apps/{APP}/subscribers")).json();
    let first = listed()["subscribers"][0].take();
    let (id, token) = (first["subscriberId"].as_str().unwrap(), &first["token"]);
    let post = |what: &str, body: &str| client.post(&format!("/v1/apps/{APP}/token/{what}"), body);
    let resolve = |more: &str| {
        let body = format!(r#"{{"subscriberId": "{id}", "text": "Hello"{more}}}"#);
        client.post("/v1/recipients/resolve", body).json()
    };
    let muted = post(
        "mute",
        &format!(r#"{{"token": {token}, "duration": 3600}}"#),
    )
    .json();
    assert_eq!(
        (&muted["outcome"], &muted["subscriberId"]),
        (&"muted".into(), &id.into())
    );
    assert!(muted["until"].is_u64(), "{muted}");
    assert_eq!(listed()["subscribers"][0]["muted"]["until"], muted["until"]);
    let left_out = resolve("");
    assert_eq!(left_out["recipients"], serde_json::json!([]));
    assert_eq!(left_out["muted"][0]["until"], muted["until"]);
    let to_all = resolve(r#", "includeMuted": true"#);
    assert_eq!(&to_all["recipients"][0]["token"], token);
    let named = format!(r#"{{"token": {token}}}"#);
    let is = |outcome: &str| format!(r#"{{"outcome": "{outcome}", "subscriberId": "{id}"}}"#);
    post("mute", &named).is(200, &is("muted"));
    post("unmute", &named).is(200, &is("unmuted"));
    post("unmute", &named).is(200, &is("notMuted"));
    assert_eq!(&resolve("")["recipients"][0]["token"], token);
    for what in ["mute", "unmute"] {
        post(what, r#"{"token": "nobody"}"#).is(200, r#"{"outcome": "unknownSubscriber"}"#);
        post(what, "{}").is_error(400, "missingMember", "member \"token\" is required");
    }
    let wrong = post("mute", r#"{"token": "t", "duration": 4}"#);
    assert_eq!(wrong.code(), "notOneOf");
    host.stop();
}

// R65.
#[test]
fn an_erased_contact_may_be_suppressed_and_that_lifted() {
    let (host, client) = with_people();
    let erase = |how: &str| client.ask(&format!("DELETE /v1/contacts/7{how}"), "");
    assert_eq!(erase("?suppress=yes").code(), "wrongType");
    assert_eq!(erase("?limit=5").code(), "unknownMember");
    let erased = erase("?suppress=true").json();
    assert_eq!(erased["erased"], true);
    let suppressed = erased["suppressed"].as_array().unwrap().clone();
    assert!(!suppressed.is_empty());
    erase("?suppress=true").is(200, r#"{"erased": false}"#);
    let lift = |body: &str| client.post("/v1/suppressions/lift", body);
    lift(r#"{"email": "nobody@example.com"}"#).is(200, r#"{"lifted": []}"#);
    lift(r#"{"contactId": 7}"#).is_error(
        400,
        "nothingGiven",
        "no identifier is given, at least one is required",
    );
    host.stop();
}

// R61.
#[test]
fn conflicts_are_listed_and_dismissed() {
    let host = Host::start_with(&["--conflicts", "10"]);
    let client = host.client();
    client.connect_app();
    let body = r#"{"tokens": [
        {"token": "t1", "phone": "380500000001"},
        {"token": "t2", "email": "ann@example.com"},
        {"token": "t2", "phone": "380500000001", "email": "ann@example.com"}
    ]}"#;
    let added = client.post(&format!("/v1/apps/{APP}/tokens"), body);
    assert_eq!(added.status, 200);
    let listed = client.get("/v1/conflicts?limit=1").json();
    let listed = &listed["conflicts"][0];
    assert_eq!(
        (&listed["pair"], &listed["count"]),
        (&"1-2".into(), &1.into())
    );
    let sides =
        r#"[{"contactId": 1, "namedBy": ["phone"]}, {"contactId": 2, "namedBy": ["email"]}]"#;
    let sides: serde_json::Value = serde_json::from_str(sides).unwrap();
    assert_eq!(listed["contacts"], sides);
    client
        .get("/v1/conflicts?after=1-2")
        .is(200, r#"{"conflicts": []}"#);
    client.get("/v1/conflicts?after=1").is(
        400,
        r#"{"error": {"code": "notOneOf", "path": "after",
            "message": "after: expected two contact ids with a hyphen between them"}}"#,
    );
    let dismiss = |body: &str| client.post("/v1/conflicts/dismiss", body);
    dismiss(r#"{"contactIds": [2, "1"]}"#).is(200, r#"{"outcome": "dismissed"}"#);
    dismiss(r#"{"contactIds": [1, 2]}"#).is(200, r#"{"outcome": "notListed"}"#);
    assert_eq!(dismiss(r#"{"contactIds": [1, 2, 3]}"#).status, 400);
    host.stop();
}

// R58.
#[test]
fn contacts_are_merged_and_taken_apart_each_shown_before_it_is_done() {
    let (host, client) = with_people();
    let ask = |what: &str, body: &str| client.post(&format!("/v1/contacts/{what}"), body);
    let refused = |code: &str, message: &str, contact: u64| {
        serde_json::json!({"error": {"code": code, "message": message, "contactId": contact}})
            .to_string()
    };
    let merged = r#"{"from": 7, "into": 1, "subscriberIds": ["1099511627778"],
        "kept": {"identifiers": ["email"]}}"#;
    ask("7/merge", r#"{"into": 1, "preview": true}"#).is(200, merged);
    client
        .get("/v1/contacts/1/merged")
        .is(200, r#"{"merged": []}"#);
    ask("7/merge", r#"{"into": 1}"#).is(200, merged);
    ask("7/merge", r#"{"into": 1}"#).is(
        409,
        &refused(
            "mergeIntoItself",
            "contact 1 cannot be merged into itself",
            1,
        ),
    );
    assert_eq!(client.get("/v1/contacts/7").json()["contactId"], 1);
    let listed = client.get("/v1/contacts/7/merged").json();
    assert_eq!(listed["merged"][0]["contactId"], 7);
    assert_eq!(listed["merged"][0]["identifiers"][0], "email");
    let unmerged = r#"{"contactId": 7, "from": 1, "identifiers": ["email"],
        "subscriberIds": ["1099511627778"]}"#;
    ask("7/unmerge", r#"{"preview": true}"#).is(200, unmerged);
    ask("7/unmerge", "{}").is(200, unmerged);
    ask("7/unmerge", "{}").is(
        409,
        &refused("notMerged", "contact 7 is not merged into another", 7),
    );
    let parts = r#""identifiers": ["phone"], "subscriberIds": ["1099511627777"]"#;
    let split = r#"{"contactId": 2, "from": 1, "identifiers": ["phone"],
        "subscriberIds": ["1099511627777"]}"#;
    ask("1/split", &format!(r#"{{{parts}, "preview": true}}"#)).is(200, split);
    ask("1/split", &format!("{{{parts}}}")).is(200, split);
    let again = ask("1/split", &format!("{{{parts}}}"));
    again.is(
        409,
        r#"{"error": {"code": "noSuchIdentifier", "message": "contact 1 has no phone to split off",
            "kind": "phone", "contactId": 1}}"#,
    );
    let not_held = ask(
        "1/split",
        r#"{"identifiers": ["email"], "subscriberIds": ["5"]}"#,
    );
    not_held.is(
        409,
        &refused("notHeld", "contact 1 does not hold subscriber 5", 1),
    );
    ask("1/split", r#"{"identifiers": []}"#).is_error(
        400,
        "noIdentifier",
        "no identifier to split off is named, at least one is required",
    );
    ask("9/merge", r#"{"into": 1}"#).is(404, &refused("unknownContact", "contact 9 is unknown", 9));
    client.ask("DELETE /v1/contacts/2", "");
    ask("2/unmerge", "{}").is(404, &refused("erasedContact", "contact 2 was erased", 2));
    assert_eq!(client.get("/v1/contacts/9/merged").status, 404);
    host.stop();
}

// R69.
#[test]
fn r69_a_store_whose_file_was_moved_is_not_healthy_and_takes_no_writes() {
    let (host, client) = with_people();
    let elsewhere = host.path.with_file_name("elsewhere.redb");
    std::fs::rename(&host.path, &elsewhere).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_050));
    let message =
        "the file was moved, replaced or removed: writes are refused until it is back at its path";
    client.get("/healthz").is_error(503, "fileMoved", message);
    let added = client.add("t9", "ann@example.com").unwrap();
    added.is_error(503, "fileMoved", message);
    assert_eq!(client.get("/v1/contacts/1").status, 200);
    let metrics = client.get("/metrics").body;
    assert!(
        metrics.contains("\ncontact_store_file_moved 1\n"),
        "{metrics}"
    );
    std::fs::rename(&elsewhere, &host.path).unwrap();
    client
        .get("/healthz")
        .is(200, r#"{"status": "ok", "engine": "file"}"#);
    assert_eq!(client.add("t9", "ann@example.com").unwrap().status, 200);
    let log = host.stop().log;
    assert_eq!(
        log.matches(&format!("ERROR host: {message}")).count(),
        1,
        "{log}"
    );
    let back = " INFO host: the file of the store is back at its path\n";
    assert_eq!(log.matches(back).count(), 1, "{log}");
}

// R38: the last id of a page is where the next begins.
#[test]
fn pages_go_on_after_their_last_row_and_have_100_rows_unless_asked() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let entries: Vec<_> = (0..105)
        .map(|n| format!(r#"{{"token": "t{n:03}", "email": "{n}@example.com"}}"#))
        .collect();
    let body = format!(r#"{{"tokens": [{}]}}"#, entries.join(","));
    assert_eq!(
        client.post(&format!("/v1/apps/{APP}/tokens"), body).status,
        200
    );
    let reports: Vec<_> = (0..105)
        .map(|n| format!(r#"{{"token": "t{n:03}", "status": "SENT", "messageId": "m {n:03}&"}}"#))
        .collect();
    let body = format!(r#"{{"statuses": [{}]}}"#, reports.join(","));
    assert_eq!(
        client
            .post(&format!("/v1/apps/{APP}/statuses"), body)
            .status,
        200
    );

    for (list, id) in [("subscribers", "subscriberId"), ("messages", "messageId")] {
        let page = |query: &str| {
            let page = client.get(&format!("/v1/apps/{APP}/{list}?{query}")).json();
            let ids = page[list].as_array().unwrap().iter();
            ids.map(|row| row[id].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let all = page("limit=1000");
        assert_eq!(all.len(), 105);
        assert_eq!(page(""), all[..100]);
        assert_eq!(page("limit=2"), all[..2]);
        let after = |id: &str| id.replace(' ', "+").replace('&', "%26");
        assert_eq!(page(&format!("after={}", after(&all[99]))), all[100..]);
        assert_eq!(
            page(&format!("limit=3&after={}", after(&all[6]))),
            all[7..10]
        );
        assert_eq!(page(&format!("after={}", after(&all[104]))), [""; 0]);
    }
    host.stop();
}

// R41 to R43, R44.
#[test]
fn contacts_are_upserted_looked_at_and_erased() {
    let (host, client) = with_people();
    let body = r#"{"dedupeOn": "email", "contacts": [
        {"email": "ann@example.com", "phone": null, "firstName": "Ann", "fields": {"city": "Kyiv"}},
        {"email": "carl@example.com", "lastName": "Carlson"},
        {"email": "bob@example.com"},
        {"email": "bob@example.com", "externalCustomerId": "shop-1"},
        {"phone": "+380500000003"}
    ]}"#;
    let answer = client.post("/v1/contacts", body);
    let results = answer.json()["results"].clone();
    assert_eq!((answer.status, results.as_array().unwrap().len()), (200, 5));
    let short: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|result| match result.get("error") {
            Some(error) => error["code"].as_str().unwrap().to_owned(),
            None => format!(
                "{} {}",
                result["contact"].as_str().unwrap(),
                result["contactId"]
            ),
        })
        .collect();
    assert_eq!(
        short,
        [
            "updated 1",
            "created 2",
            "unchanged 7",
            "conflict",
            "nothingToFindBy"
        ]
    );
    client.get("/v1/contacts/1").is(
        200,
        &format!(
            r#"{{"contactId": 1, "externalCustomerId": "shop-1", "email": "ann@example.com",
                "firstName": "Ann", "fields": {{"city": "Kyiv"}}, "createdThroughAppUuid": "{APP}",
                "tokens": [{{"appUuid": "{APP}", "token": "t1", "subscriberId": "1099511627777"}}]}}"#
        ),
    );
    client
        .ask("DELETE /v1/contacts/1", "")
        .is(200, r#"{"erased": true}"#);
    client
        .ask("DELETE /v1/contacts/1", "")
        .is(200, r#"{"erased": false}"#);
    client
        .get("/v1/contacts/1")
        .is_error(404, "unknownContact", "there is no such contact");
    host.stop();
}

// R26, R14: a query and a body are one question.
#[test]
fn a_contact_is_found_by_query_and_by_body() {
    let (host, client) = with_people();
    let found = |by: &str| format!(r#"{{"contact": {}, "matchedBy": "{by}"}}"#, ann());
    let rows = [
        // A + in a query is a space, which is trimmed (R4); a phone may also be copied as it is.
        (
            "phone=+380500000001",
            r#"{"phone": " 380500000001"}"#,
            "phone",
        ),
        (
            "phone=%2B38(050)000-00-01",
            r#"{"phone": "+38(050)000-00-01"}"#,
            "phone",
        ),
        ("phone=380500000001", r#"{"phone": 380500000001}"#, "phone"),
        (
            "email=ANN%40example.com",
            r#"{"email": "ANN@example.com"}"#,
            "email",
        ),
        (
            "email=ann@example.com&phone=",
            r#"{"email": "ann@example.com", "phone": ""}"#,
            "email",
        ),
        ("contactId=1", r#"{"contactId": 1}"#, "contactId"),
        (
            "externalCustomerId=shop-1",
            r#"{"externalCustomerId": "shop-1"}"#,
            "externalCustomerId",
        ),
        (
            "email=ann@example.com&phone=%2B380500000002&policy=cascade",
            r#"{"email": "ann@example.com", "phone": "+380500000002", "policy": "cascade"}"#,
            "email",
        ),
    ];
    for (query, body, by) in rows {
        client
            .get(&format!("/v1/contacts?{query}"))
            .is(200, &found(by));
        client.post("/v1/contacts/find", body).is(200, &found(by));
    }
    let nobody = [
        ("email=dora@example.com", r#"{"email": "dora@example.com"}"#),
        (
            "externalCustomerId=shop-1+",
            r#"{"externalCustomerId": "shop-1 "}"#,
        ),
        // Only the highest priority is looked at.
        (
            "email=ann@example.com&phone=%2B380500000002&policy=topPriority",
            r#"{"email": "ann@example.com", "phone": "+380500000002", "policy": "topPriority"}"#,
        ),
    ];
    for (query, body) in nobody {
        for answer in [
            client.get(&format!("/v1/contacts?{query}")),
            client.post("/v1/contacts/find", body),
        ] {
            answer.is_error(404, "unknownContact", "there is no such contact");
        }
    }
    host.stop();
}

// R28.
#[test]
fn explain_tells_what_either_policy_decides() {
    let (host, client) = with_people();
    let body = r#"{"phone": "+380500000002", "email": "ann@example.com"}"#;
    client.post("/v1/contacts/explain", body).is(
        200,
        r#"{
            "named": {"phone": null, "email": 1},
            "cascade": {"decision": "append", "contactId": 1, "matchedBy": "email"},
            "topPriority": {"decision": "create", "contactId": 2, "identifiers": ["phone"], "skipped": ["email"]}
        }"#,
    );
    host.stop();
}

// R39, R40.
#[test]
fn recipients_are_resolved_to_where_to_send() {
    let (host, client) = with_people();
    let address = format!(
        r#"{{"recipients": [{{"appUuid": "{APP}", "token": "t1", "subscriberId": "1099511627777", "contactId": 1}}]}}"#
    );
    let by_number = format!(r#"{{"botId": "{APP}", "number": 380500000001, "text": "Hello"}}"#);
    let by_id = r#"{"subscriberId": "1099511627777", "botId": "?", "number": [], "text": "Hello",
        "buttons": [{"text": "Shop", "url": "https://example.com/"}],
        "auth": {"user": "1", "pass": "open sesame"}}"#;
    for body in [by_number.as_str(), by_id] {
        client
            .post("/v1/recipients/resolve", body)
            .is(200, &address);
    }
    let rows = [
        (r#"{"text": "Hello"}"#.to_owned(), 400, "noRecipient"),
        (
            format!(r#"{{"botId": "{APP}", "text": "Hello"}}"#),
            400,
            "appWithoutNumber",
        ),
        (
            r#"{"number": "380500000001", "text": "Hello"}"#.to_owned(),
            400,
            "numberWithoutApp",
        ),
        (
            r#"{"subscriberId": "1099511627777"}"#.to_owned(),
            400,
            "missingMember",
        ),
        (
            r#"{"subscriberId": "1099511627785", "text": "Hello"}"#.to_owned(),
            404,
            "unknownSubscriber",
        ),
        (
            format!(r#"{{"botId": "{APP}", "number": "380500000009", "text": "Hello"}}"#),
            404,
            "unknownContact",
        ),
        (by_number.replace("00000a", "00000b"), 404, "unknownApp"),
    ];
    for (body, status, code) in rows {
        let answer = client.post("/v1/recipients/resolve", body.as_str());
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{body}"
        );
    }
    client.post(
        "/v1/apps",
        r#"{"name": "Other", "appUuid": "b0000000-0000-0000-0000-00000000000b"}"#,
    );
    let answer = client.post(
        "/v1/recipients/resolve",
        r#"{"botId": "b0000000-0000-0000-0000-00000000000b", "number": "380500000001", "text": "Hello"}"#,
    );
    assert_eq!((answer.status, answer.code().as_str()), (404, "noToken"));
    host.stop();
}

#[test]
fn health_is_reported_and_no_one_may_cache_answers() {
    let (host, client) = with_people();
    let answer = client.get("/healthz");
    answer.is(200, r#"{"status": "ok", "engine": "file"}"#);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let head = client.ask("HEAD /v1/contacts/1", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        head.headers["content-length"],
        client.get("/v1/contacts/1").headers["content-length"]
    );
    host.stop();
}
