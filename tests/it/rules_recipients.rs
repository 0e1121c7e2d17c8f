//! Whom a message is for, and where to send it: R39 and R40.

use contact_store::{
    AppId, ContactStore, Error, Fault, Field, FieldError, GivenRecipient, JsonFault, Phone,
    Recipient, RecipientError, SubscriberId, TokenEntry, wire,
};

use crate::support::{APP, add, id, options, store};

fn number(app: AppId, number: &str) -> Recipient {
    Recipient::Phone {
        app,
        phone: Phone::parse(number).unwrap(),
    }
}

/// Tokens and subscriber ids of the addresses, and the contact of each.
#[track_caller]
fn goes_to(store: &ContactStore, recipient: &Recipient, expected: &[(&str, u64, u64)]) {
    let addresses = store.snapshot().unwrap().resolve(recipient).unwrap();
    let found: Vec<_> = addresses
        .iter()
        .map(|address| {
            assert_eq!(address.app, APP);
            let token = address.token.as_str();
            (token, address.subscriber.value(), address.contact.value())
        })
        .collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn unreachable(store: &ContactStore, recipient: &Recipient, why: RecipientError) {
    match store.snapshot().unwrap().resolve(recipient) {
        Err(Error::Recipient(error)) => assert_eq!(error, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r39_an_app_and_a_number_are_all_tokens_of_the_contact_in_the_order_added() {
    let (store, _) = store();
    let phone = "380500000001";
    add(&store, TokenEntry::new("b").phone(phone));
    add(&store, TokenEntry::new("a").phone(phone));
    add(&store, TokenEntry::new("c").phone("380500000002"));
    goes_to(
        &store,
        &number(APP, "+380 50 000 00 01"),
        &[("b", 1, 1), ("a", 2, 1)],
    );
    goes_to(&store, &number(APP, "380500000002"), &[("c", 3, 2)]);
}

#[test]
fn r39_a_subscriber_is_one_address_of_whoever_has_held_it_longest() {
    let (store, _) = store();
    add(&store, TokenEntry::new("a").phone("380500000001"));
    add(&store, TokenEntry::new("a").phone("380500000002"));
    goes_to(
        &store,
        &Recipient::Subscriber(SubscriberId::new(1)),
        &[("a", 1, 1)],
    );
    store.erase(id(1)).wait().unwrap();
    goes_to(
        &store,
        &Recipient::Subscriber(SubscriberId::new(1)),
        &[("a", 1, 2)],
    );
}

#[test]
fn r39_who_cannot_be_reached_is_told_why() {
    let (store, _) = store();
    let other = AppId::from_u128(0xb);
    let name = contact_store::AppName::parse("Other").unwrap();
    let connect = contact_store::ConnectApp::new(name).id(other);
    store.connect_app(connect).wait().unwrap();
    add(&store, TokenEntry::new("a").phone("380500000001"));
    let nobody = SubscriberId::new(9);
    unreachable(
        &store,
        &Recipient::Subscriber(nobody),
        RecipientError::UnknownSubscriber(nobody),
    );
    unreachable(
        &store,
        &number(APP, "380500000009"),
        RecipientError::UnknownContact,
    );
    unreachable(
        &store,
        &number(other, "380500000001"),
        RecipientError::NoToken {
            contact: id(1),
            app: other,
        },
    );
    let unknown = AppId::from_u128(0xc);
    match store
        .snapshot()
        .unwrap()
        .resolve(&number(unknown, "380500000001"))
    {
        Err(Error::UnknownApp(app)) => assert_eq!(app, unknown),
        found => panic!("{found:?}"),
    }
}

#[test]
fn r39_a_subscriber_goes_before_whatever_else_is_given() {
    let subscriber = SubscriberId::new(7);
    let all = GivenRecipient::new()
        .subscriber(subscriber)
        .app(APP)
        .number("no number");
    assert_eq!(all.parse().unwrap(), Recipient::Subscriber(subscriber));
    let both = GivenRecipient::new().app(APP).number(" 00380 50 000 00 01");
    assert_eq!(both.parse().unwrap(), number(APP, "380500000001"));
    for (given, why) in [
        (GivenRecipient::new(), RecipientError::NothingGiven),
        (
            GivenRecipient::new().number(" "),
            RecipientError::NothingGiven,
        ),
        (
            GivenRecipient::new().app(APP),
            RecipientError::AppWithoutNumber,
        ),
        (
            GivenRecipient::new().app(APP).number(""),
            RecipientError::AppWithoutNumber,
        ),
        (
            GivenRecipient::new().number("380500000001"),
            RecipientError::NumberWithoutApp,
        ),
    ] {
        match given.parse() {
            Err(Error::Recipient(error)) => assert_eq!(error, why),
            found => panic!("{found:?}"),
        }
    }
    match GivenRecipient::new().app(APP).number("0501234567").parse() {
        Err(Error::Field(error)) => {
            assert_eq!(error.field(), Field::RecipientNumber);
            assert_eq!(error.fault(), &Fault::LeadingZero);
        }
        found => panic!("{found:?}"),
    }
}

/// The example of seed 003, word for word.
const PUBLISHED: &str = r#"{
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
    assert_eq!(request.text, "Текст Вашего сообщения");
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
