//! The published examples of the guides, word for word (seeds 000 to 004).

use serde_json::{Value, json};

use super::client::APP;
use super::process::Host;
use crate::json::send::PUBLISHED;

/// "Contact data format in the request" (000, 001, 002, 004).
const FORMAT: &str = r#"{
"token": string, // required
// identifiers to search for contact (at least one is required)
"contactId": Long,
"externalCustomerId": string,
"phone": string,
"email": string
}"#;

/// "JSON request format" (000, 001, 002, 004).
const REQUEST: &str = r#"{
"tokens": [Token]
}"#;

/// The published request, with values where the guides have types.
fn published(values: [Value; 5]) -> String {
    let mut values = values.into_iter();
    let lines = FORMAT.lines().filter(|line| !line.starts_with("//"));
    let filled = lines.map(|line| {
        let line = line.split("//").next().unwrap().trim_end();
        match line.split_once(": ") {
            Some((name, kind)) => {
                let comma = if kind.ends_with(',') { "," } else { "" };
                format!("{name}: {}{comma}", values.next().unwrap())
            }
            None => line.to_owned(),
        }
    });
    let token: Vec<_> = filled.collect();
    REQUEST.replace("Token", &token.join("\n"))
}

#[test]
fn the_published_request_is_taken_with_every_member_it_has() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let body = published([
        json!("100200300"),
        json!(42),
        json!("shop-1"),
        json!("+380 50 000 00 01"),
        json!("ann@example.com"),
    ]);
    let path = "/v1/apps/{app_uuid}/tokens".replace("{app_uuid}", APP);
    client.post(&path, body).is(
        200,
        r#"{"results": [{"contactId": 42, "contact": "created", "token": "added", "subscriberId": "1099511627777"}]}"#,
    );
    client.get("/v1/contacts/42").is(
        200,
        &format!(
            r#"{{"contactId": 42, "externalCustomerId": "shop-1", "phone": "380500000001",
                "email": "ann@example.com", "createdThroughAppUuid": "{APP}",
                "tokens": [{{"appUuid": "{APP}", "token": "100200300", "subscriberId": "1099511627777"}}]}}"#
        ),
    );
    host.stop();
}

// "If two requests with the same email address contain two different tokens, both will be written
// to the contact card" (000, 001, 002, 004; R20).
#[test]
fn two_requests_with_the_same_email_and_different_tokens_both_end_up_on_the_card() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    for token in ["100200300", "100200301"] {
        let none = Value::Null;
        let body = published([
            json!(token),
            none.clone(),
            none.clone(),
            none,
            json!("ann@example.com"),
        ]);
        assert_eq!(
            client.post(&format!("/v1/apps/{APP}/tokens"), body).status,
            200
        );
    }
    let card = client.get("/v1/contacts?email=ann@example.com").json();
    let tokens: Vec<_> = card["contact"]["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| &held["token"])
        .collect();
    assert_eq!(tokens, ["100200300", "100200301"]);
    host.stop();
}

// "A token will be removed from the contact card upon receiving the FAILED (Forbidden) status"
// (000, 001, 002, 004; R31), and "the number of subscribers is shown" (R37).
#[test]
fn failed_forbidden_takes_the_token_off_the_card_and_out_of_the_number_of_subscribers() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    client.add("100200300", "ann@example.com").unwrap();
    let apps = |count: u64| {
        format!(
            r#"{{"apps": [{{"appUuid": "{APP}", "name": "Bot", "subscribers": {count}, "contacts": {count}}}]}}"#
        )
    };
    client.get("/v1/apps").is(200, &apps(1));
    let body =
        r#"{"statuses": [{"token": "100200300", "status": "FAILED", "reason": "Forbidden"}]}"#;
    client
        .post(&format!("/v1/apps/{APP}/statuses"), body)
        .is(200, r#"{"results": [{"outcome": "removed"}]}"#);
    client.get("/v1/apps").is(200, &apps(0));
    let card = client.get("/v1/contacts?email=ann@example.com").json();
    assert_eq!(card["contact"]["tokens"], json!([]));
    host.stop();
}

// 003: its ids are placeholders, and ours are numbers.
#[test]
fn the_published_send_request_is_resolved_once_its_placeholder_is_an_id() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    client.add("100200300", "ann@example.com").unwrap();
    client.post("/v1/recipients/resolve", PUBLISHED).is(
        400,
        r#"{"error": {"code": "notOneOf", "path": "subscriberId",
            "message": "subscriberId: expected a subscriber id: decimal digits without a leading 0"}}"#,
    );
    let body = PUBLISHED.replace("XXXXXXXXXXXXXXXXXXXXXXXX", "1099511627777");
    client.post("/v1/recipients/resolve", body).is(
        200,
        &format!(
            r#"{{"recipients": [{{"appUuid": "{APP}", "token": "100200300", "subscriberId": "1099511627777", "contactId": 1}}]}}"#
        ),
    );
    host.stop();
}
