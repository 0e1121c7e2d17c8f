//! The published request to send a message: R39 and R40 at the edge.

use contact_store::{Error, Fault, Field, FieldError, JsonFault, Recipient, SubscriberId, wire};

use crate::support::options;

/// The example of seed 003, word for word.
pub const PUBLISHED: &str = r#"{
  "subscriberId": "XXXXXXXXXXXXXXXXXXXXXXXX",
  "text": "Текст Вашего сообщения",
  "buttons": [
    {
      "text": "Текст на кнопке 1",
      "url": "https:// ссылка для кнопки 1"
    },
    {
      "text": "Текст на кнопке 2",
      "url": "https:// ссылка для кнопки 2"
    }
  ],
  "auth": {
    "user": "XXXXX",
    "pass": "PASSWORD"
  }
}"#;

#[test]
fn r40_the_published_send_request_is_read_with_an_id_in_the_place_of_its_x() {
    let limits = options().0.limits;
    match wire::parse_send_request(PUBLISHED.as_bytes(), &limits) {
        Err(Error::Json(error)) => {
            assert_eq!(error.path, "subscriberId");
            assert!(matches!(error.fault, JsonFault::NotOneOf { .. }), "{error}");
        }
        found => panic!("{found:?}"),
    }
    let body = PUBLISHED.replace("XXXXXXXXXXXXXXXXXXXXXXXX", "12");
    let request = wire::parse_send_request(body.as_bytes(), &limits).unwrap();
    assert_eq!(
        request.recipient,
        Recipient::Subscriber(SubscriberId::new(12))
    );
    assert_eq!(request.text(), "Текст Вашего сообщения");
    let buttons: Vec<_> = request
        .buttons
        .iter()
        .map(|of| (of.text(), of.url()))
        .collect();
    assert_eq!(
        buttons,
        [
            ("Текст на кнопке 1", "https:// ссылка для кнопки 1"),
            ("Текст на кнопке 2", "https:// ссылка для кнопки 2"),
        ]
    );
    let auth = request.auth.unwrap();
    assert_eq!(
        (auth.reveal_user(), auth.reveal_password()),
        ("XXXXX", "PASSWORD")
    );
}

#[track_caller]
fn refused(body: &str) -> Error {
    wire::parse_send_request(body.as_bytes(), &options().0.limits).unwrap_err()
}

#[test]
fn r39_r40_what_is_wrong_with_a_send_request_is_named_by_its_place() {
    for (body, path) in [
        (r#"{"subscriberId": "1"}"#, ""),
        (r#"{"subscriberId": 1, "text": "a"}"#, "subscriberId"),
        (r#"{"subscriberId": "1", "text": 1}"#, "text"),
        (
            r#"{"botId": "x", "number": "380500000001", "text": "a"}"#,
            "botId",
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "buttons": {}}"#,
            "buttons",
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "buttons": [{"text": "b"}]}"#,
            "buttons[0]",
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "buttons": [{"text": "b", "url": 1}]}"#,
            "buttons[0].url",
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "auth": {"user": "u"}}"#,
            "auth",
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "auth": {"user": "u", "pass": 1}}"#,
            "auth.pass",
        ),
        (r#"{"subscriberId": "1", "text": "a", "more": 1}"#, ""),
    ] {
        match refused(body) {
            Error::Json(error) => assert_eq!(error.path, path, "{body}"),
            error => panic!("{body}: {error}"),
        }
    }
    let blank = |field| FieldErrorShown(field, Fault::Blank);
    for (body, expected) in [
        (r#"{"subscriberId": "1", "text": " "}"#, blank(Field::Text)),
        (
            r#"{"subscriberId": "1", "text": "a", "buttons": [{"text": "", "url": "u"}]}"#,
            blank(Field::ButtonText),
        ),
        (
            r#"{"subscriberId": "1", "text": "a", "auth": {"user": "u", "pass": ""}}"#,
            blank(Field::AuthPassword),
        ),
    ] {
        match refused(body) {
            Error::Field(error) => assert_eq!(FieldErrorShown::of(&error), expected),
            error => panic!("{body}: {error}"),
        }
    }
    // With a subscriber, nobody looks at the other two, whatever they are.
    let ignored = r#"{"subscriberId": "1", "botId": [], "number": {"a": 1}, "text": "a"}"#;
    let limits = options().0.limits;
    let request = wire::parse_send_request(ignored.as_bytes(), &limits).unwrap();
    assert_eq!(
        request.recipient,
        Recipient::Subscriber(SubscriberId::new(1))
    );
}

#[derive(Debug, PartialEq)]
struct FieldErrorShown(Field, Fault);

impl FieldErrorShown {
    fn of(error: &FieldError) -> Self {
        FieldErrorShown(error.field(), error.fault().clone())
    }
}
