//! Idempotency keys over HTTP (R64).

use serde_json::json;

use super::client::{APP, Answer, Client, exchange, status_and_code};
use super::process::Host;

fn keyed(client: &Client, key: &str) -> Client {
    let mut client = client.clone();
    client.headers.push(("Idempotency-Key", key.to_owned()));
    client
}

fn is_repeated(answer: &Answer) -> bool {
    let header = answer.headers.get("idempotency-repeated");
    header.inspect(|value| assert_eq!(*value, "true")).is_some()
}

#[test]
fn r64_every_request_that_writes_is_done_once_under_its_key() {
    let host = Host::start_with(&["--keep-answers", "60", "--remember-blocked", "10"]);
    let client = host.client();
    client.connect_app();
    client.add("t1", "ann@example.com").unwrap();
    let app = |rest: &str| format!("POST /v1/apps/{APP}/{rest}");
    let writes = [
        ("POST /v1/apps".to_owned(), r#"{"name": "Another"}"#),
        (
            app("tokens"),
            r#"{"tokens": [{"token": "t2", "email": "bob@example.com"}]}"#,
        ),
        (
            app("statuses"),
            r#"{"statuses": [{"token": "t1", "status": "SENT"}]}"#,
        ),
        (app("tokens/rename"), r#"{"token": "t1", "newToken": "t9"}"#),
        (app("tokens/remove"), r#"{"token": "t9"}"#),
        (app("tokens/bring-back"), r#"{"token": "t9"}"#),
        (app("token/mute"), r#"{"token": "t2", "duration": 60}"#),
        (app("token/unmute"), r#"{"token": "t2"}"#),
        (app("messages/forget"), r#"{"before": 1800000000000}"#),
        (app("stale/remove"), r#"{"before": 1700000000000}"#),
        (
            "POST /v1/contacts".to_owned(),
            r#"{"dedupeOn": "email", "contacts": [{"email": "eve@example.com"}, {"phone": "1"}]}"#,
        ),
        ("DELETE /v1/contacts/1?suppress=true".to_owned(), ""),
        (
            "POST /v1/suppressions/lift".to_owned(),
            r#"{"email": "ann@example.com"}"#,
        ),
        (format!("DELETE /v1/apps/{APP}"), ""),
    ];
    for (number, (what, body)) in writes.iter().enumerate() {
        let client = keyed(&client, &format!("key-{number}"));
        let first = client.ask(what, *body);
        assert_eq!(
            (first.status, is_repeated(&first)),
            (200, false),
            "{what} {first:?}"
        );
        let again = client.ask(what, *body);
        assert_eq!((again.status, is_repeated(&again)), (200, true), "{what}");
        assert_eq!(again.body, first.body, "{what}");
    }
    host.stop();
}

#[test]
fn r64_another_request_under_the_key_and_an_invalid_key_are_refused() {
    let host = Host::start_with(&["--keep-answers", "60", "--most-answers", "10"]);
    let client = host.client();
    client.connect_app();
    let once = keyed(&client, "k");
    assert_eq!(once.add("t1", "ann@example.com").unwrap().status, 200);
    let other = once.add("t1", "bob@example.com").unwrap();
    other.is_error(
        422,
        "idempotencyKeyReused",
        "another request was made under the same idempotency key",
    );
    let long = keyed(&client, &"k".repeat(129));
    let refused = long.add("t1", "ann@example.com").unwrap();
    let expected = json!({"error": {
        "code": "tooLong", "field": "idempotencyKey",
        "message": "idempotencyKey of 129 bytes, the longest is 128",
    }});
    refused.is(400, &expected.to_string());
    let two = keyed(&once, "l").add("t1", "ann@example.com").unwrap();
    assert_eq!((two.status, two.code()), (400, "severalKeys".to_owned()));
    let head = "DELETE /v1/contacts/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: ";
    let raw = [head.as_bytes(), b"\xff\xfe\r\n\r\n"].concat();
    let answer = exchange(host.connect(), &raw);
    assert_eq!(status_and_code(&answer), (400, Some("notUtf8".to_owned())));
    // Reads have no key.
    assert_eq!(once.get("/v1/contacts/1").status, 200);
    let metrics = client.get("/metrics").body;
    assert!(
        metrics.contains("contact_store_answers_kept 1\n"),
        "{metrics}"
    );
    host.stop();
}

#[test]
fn r64_a_host_that_keeps_no_answers_refuses_a_key() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let refused = keyed(&client, "k").add("t1", "ann@example.com").unwrap();
    refused.is_error(
        400,
        "answersNotKept",
        "the request has an idempotency key, and the store keeps no answers",
    );
    host.stop();
}
