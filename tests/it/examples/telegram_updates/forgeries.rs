//! What somebody may try who wants to read what is sent to another: each is refused, by its own reason,
//! and the store is as it was.
//!
//! A forgery is one change to an update that registers (the last tests show that these do).

use contact_store::{AppName, ConnectApp, ContactStore, Options, Phone, Timestamp, Token};
use serde_json::{Value, json};

use super::example::action::{Action, Proved, Reason};
use super::example::deep_link::BadLink;
use super::example::{Bot, Summary};
use super::{
    ANN, CUSTOMER, MALLORY, NOW, SAMPLE_APP, SENT, asks, contact, customer, link, links_of,
    standing, start, with, without,
};

/// Ann's phone, as Telegram gives it.
const PHONE: &str = "+380500000001";

/// Ann's card with both of her proofs, and nothing else.
fn store_with_ann() -> ContactStore {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let name = AppName::parse("Shop bot").unwrap();
    let request = ConnectApp::new(name).id(SAMPLE_APP);
    store.connect_app(request).wait().unwrap();
    let ann = [start(ANN, &link()), contact(ANN, ANN, PHONE)];
    let (_, summary) = apply(&store, &ann);
    assert_eq!(summary.applied, 2);
    store
}

fn apply(store: &ContactStore, updates: &[Value]) -> (String, Summary) {
    let log: String = updates.iter().map(|update| format!("{update}\n")).collect();
    let links = links_of(SAMPLE_APP);
    let bot = Bot {
        store,
        app: SAMPLE_APP,
        links: &links,
        limits: contact_store::Limits::default(),
    };
    let mut answers = Vec::new();
    let summary = bot.apply_all(|| NOW, log.as_bytes(), &mut answers);
    (String::from_utf8(answers).unwrap(), summary.unwrap())
}

/// An update asks for nothing, says why and no more (R52), and changes nothing (R47).
#[track_caller]
fn refused(update: Value, reason: Reason) {
    assert_eq!(asks(update.clone()), Action::Nothing(reason));
    let store = store_with_ann();
    let before = store.snapshot().unwrap().sequence();
    let (answers, _) = apply(&store, &[update]);
    let code = reason.code();
    assert_eq!(
        answers,
        format!("{{\"updateId\":7,\"action\":\"nothing\",\"reason\":\"{code}\"}}\n")
    );
    assert_eq!(store.snapshot().unwrap().sequence(), before);
}

fn token(id: i64) -> Token {
    Token::parse(id.to_string()).unwrap()
}

/// The same update with and without what makes it a forgery, of both kinds that register.
#[track_caller]
fn both_refused(change: impl Fn(Value) -> Value, reason: Reason) {
    refused(change(start(MALLORY, &link())), reason);
    refused(change(contact(MALLORY, MALLORY, "+380500000009")), reason);
}

#[test]
fn a_bare_customer_id_after_start_joins_no_card() {
    refused(
        start(MALLORY, CUSTOMER),
        Reason::Link(BadLink::NotBase64Url),
    );
}

#[test]
fn a_bare_phone_after_start_joins_no_card() {
    refused(
        start(MALLORY, "380500000001"),
        Reason::Link(BadLink::TooShort),
    );
}

#[test]
fn a_forged_link_joins_no_card() {
    // The character is one of the customer id's.
    let mut payload = link();
    payload.replace_range(9..10, "_");
    assert_ne!(payload, link());
    refused(start(MALLORY, &payload), Reason::Link(BadLink::NotSigned));
}

#[test]
fn an_expired_link_joins_no_card() {
    let payload = links_of(SAMPLE_APP).sign(&customer(CUSTOMER), NOW).unwrap();
    refused(start(MALLORY, &payload), Reason::Link(BadLink::Expired));
}

// An update may be kept and shown again, or come late: its date is not the time.
#[test]
fn a_link_expires_by_the_clock_and_not_by_the_date_of_its_update() {
    let payload = links_of(SAMPLE_APP).sign(&customer(CUSTOMER), NOW).unwrap();
    for date in [0, 1, NOW - 3_600] {
        let dated = with(start(MALLORY, &payload), "/message/date", json!(date));
        refused(dated, Reason::Link(BadLink::Expired));
    }
}

#[test]
fn a_link_of_another_bot_joins_no_card() {
    let others = links_of(contact_store::AppId::from_u128(1));
    let payload = others.sign(&customer(CUSTOMER), NOW + 60).unwrap();
    refused(start(MALLORY, &payload), Reason::Link(BadLink::NotSigned));
}

#[test]
fn a_link_with_more_text_after_it_joins_no_card() {
    let payload = format!("{} {CUSTOMER}", link());
    refused(
        start(MALLORY, &payload),
        Reason::Link(BadLink::NotBase64Url),
    );
}

#[test]
fn a_link_that_does_not_follow_a_command_joins_no_card() {
    let said = start(MALLORY, &link());
    for (pointer, value) in [
        ("/message/text", json!(link())),
        ("/message/text", json!(format!("/stop! {}", link()))),
        ("/message/text", json!(format!("see: /start {}", link()))),
        ("/message/text", json!("ї/їїї")),
        ("/message/entities", json!([])),
        ("/message/entities/0/type", json!("code")),
        ("/message/entities/0/offset", json!(1)),
        ("/message/entities/0/length", json!(5)),
        ("/message/entities/0/length", json!(7_000)),
    ] {
        refused(with(said.clone(), pointer, value), Reason::NoIdentifier);
    }
    refused(without(said, "/message/text"), Reason::NoIdentifier);
}

#[test]
fn the_contact_of_another_joins_no_card() {
    refused(contact(MALLORY, ANN, PHONE), Reason::ContactOfAnother);
    refused(contact(MALLORY, -MALLORY, PHONE), Reason::ContactOfAnother);
    refused(contact(MALLORY, 0, PHONE), Reason::ContactOfAnother);
}

#[test]
fn a_contact_without_a_user_joins_no_card() {
    let shared = contact(MALLORY, MALLORY, PHONE);
    let nobodys = without(shared.clone(), "/message/contact/user_id");
    refused(nobodys, Reason::ContactWithoutUser);
    let nobodys = with(shared, "/message/contact/user_id", json!(null));
    refused(nobodys, Reason::ContactWithoutUser);
}

// Anybody may write anything into a vcard.
#[test]
fn a_phone_in_a_vcard_is_not_read() {
    let vcard = format!("BEGIN:VCARD\nVERSION:3.0\nTEL:{PHONE}\nEND:VCARD");
    let shared = contact(MALLORY, MALLORY, "+380500000009");
    let shared = with(shared, "/message/contact/vcard", json!(vcard));
    assert_eq!(
        asks(shared),
        Action::AddToken {
            token: token(MALLORY),
            proved: Proved::Phone(Phone::parse("380500000009").unwrap()),
            at: Timestamp::from_millis(SENT * 1_000),
        }
    );
}

// R4.
#[test]
fn a_contact_with_an_invalid_phone_registers_nobody() {
    for phone in [
        "",
        "call me",
        "0500000001",
        "12345",
        "+380 (0) 50 000 00 01",
    ] {
        refused(contact(MALLORY, MALLORY, phone), Reason::NotAPhone);
    }
}

#[test]
fn what_another_has_written_proves_nothing_when_it_is_forwarded() {
    let origin = json!({"type": "user", "date": SENT, "sender_user": {"id": ANN, "is_bot": false, "first_name": "Ann"}});
    both_refused(
        |update| with(update, "/message/forward_origin", origin.clone()),
        Reason::Forwarded,
    );
    // Nothing but the kind of origin is there when the other hides his account.
    both_refused(
        |update| with(update, "/message/forward_origin", json!({})),
        Reason::Forwarded,
    );
    both_refused(
        |update| with(update, "/message/forward_date", json!(SENT)),
        Reason::Forwarded,
    );
}

#[test]
fn what_a_bot_or_a_business_has_written_proves_nothing() {
    let bot = json!({"id": 5, "is_bot": true, "first_name": "Cards"});
    let chat = json!({"id": -1_001, "type": "channel", "title": "News"});
    for (member, value) in [
        ("via_bot", bot.clone()),
        ("sender_business_bot", bot),
        ("sender_chat", chat),
        ("business_connection_id", json!("b1")),
    ] {
        both_refused(
            |update| with(update, &format!("/message/{member}"), value.clone()),
            Reason::OnBehalf,
        );
    }
}

#[test]
fn a_group_a_supergroup_and_a_channel_register_nobody() {
    for kind in ["group", "supergroup", "channel", "sender", "Private", ""] {
        for id in [-400_000_001, -1_001_000_000_001, MALLORY] {
            let chat = json!({"id": id, "type": kind, "title": "Neighbours"});
            both_refused(
                |update| with(update, "/message/chat", chat.clone()),
                Reason::NotPrivate,
            );
        }
    }
}

#[test]
fn a_message_that_nobody_sent_registers_nobody() {
    both_refused(|update| without(update, "/message/from"), Reason::NoSender);
}

#[test]
fn a_bot_registers_nobody() {
    both_refused(
        |update| with(update, "/message/from/is_bot", json!(true)),
        Reason::SenderIsBot,
    );
}

#[test]
fn a_chat_that_is_not_its_senders_registers_nobody() {
    for pointer in ["/message/from/id", "/message/chat/id"] {
        for id in [ANN, -MALLORY, 0] {
            both_refused(
                |update| with(update, pointer, json!(id)),
                Reason::NotTheSendersChat,
            );
        }
    }
    // No person has these ids, even where they agree.
    for id in [0, -400_000_001] {
        refused(start(id, &link()), Reason::NotTheSendersChat);
        refused(contact(id, id, PHONE), Reason::NotTheSendersChat);
        refused(standing(id, "kicked"), Reason::NotTheSendersChat);
    }
}

#[test]
fn edited_messages_channel_posts_and_all_other_kinds_register_nobody() {
    for kind in [
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_message",
        "edited_business_message",
        "guest_message",
        "callback_query",
        "inline_query",
        "chat_member",
        "something_new",
    ] {
        both_refused(
            |update| json!({"update_id": 7, kind: update["message"]}),
            Reason::OtherKind,
        );
    }
    refused(json!({"update_id": 7}), Reason::OtherKind);
    refused(json!({"update_id": 7, "message": null}), Reason::OtherKind);
}

#[test]
fn what_a_message_answers_or_quotes_registers_nobody() {
    let answered = [start(ANN, &link()), contact(MALLORY, MALLORY, PHONE)];
    for member in ["reply_to_message", "pinned_message", "external_reply"] {
        for answered in &answered {
            let said = super::message(
                MALLORY,
                json!({"text": "/start", member: answered["message"]}),
            );
            refused(said, Reason::NoIdentifier);
        }
    }
}

#[test]
fn an_update_of_two_kinds_registers_and_removes_nobody() {
    let mut both = start(MALLORY, &link());
    both["my_chat_member"] = standing(ANN, "kicked")["my_chat_member"].clone();
    refused(both, Reason::SeveralKinds);
}

#[test]
fn start_without_a_link_and_plain_text_register_nobody() {
    // It brings back what that chat had, and nothing else.
    let back = |update| match asks(update) {
        Action::BringBack { token, .. } => assert_eq!(token.as_str(), MALLORY.to_string()),
        other => panic!("{other:?}"),
    };
    for payload in ["", " ", "\n"] {
        back(start(MALLORY, payload));
    }
    back(with(start(MALLORY, ""), "/message/text", json!("/start")));
    refused(
        super::message(MALLORY, json!({"text": "hello"})),
        Reason::NoIdentifier,
    );
    refused(
        super::message(MALLORY, json!({"photo": []})),
        Reason::NoIdentifier,
    );
}

#[test]
fn nobody_takes_off_the_token_of_another() {
    let kicked = standing(MALLORY, "kicked");
    let channel = json!({"id": -1_001_000_000_001_i64, "type": "channel", "title": "News"});
    let rows = [
        (
            "/my_chat_member/chat/id",
            json!(ANN),
            Reason::NotTheSendersChat,
        ),
        (
            "/my_chat_member/from/id",
            json!(ANN),
            Reason::NotTheSendersChat,
        ),
        (
            "/my_chat_member/from/is_bot",
            json!(true),
            Reason::SenderIsBot,
        ),
        (
            "/my_chat_member/chat/type",
            json!("group"),
            Reason::NotPrivate,
        ),
        ("/my_chat_member/chat", channel, Reason::NotPrivate),
    ];
    for (pointer, value, reason) in rows {
        refused(with(kicked.clone(), pointer, value), reason);
    }
    // A member of a group who was thrown out of it, which a bot may see too.
    let member = json!({"update_id": 7, "chat_member": standing(ANN, "kicked")["my_chat_member"]});
    refused(member, Reason::OtherKind);
}

#[test]
fn a_migration_renames_no_token_of_a_person_and_gives_nobody_one() {
    const SUPERGROUP: i64 = -1_001_000_000_002;
    let rows = [
        (ANN, "private", SUPERGROUP),
        (ANN, "group", SUPERGROUP),
        (0, "group", SUPERGROUP),
        (-400_000_001, "supergroup", SUPERGROUP),
        (-400_000_001, "channel", SUPERGROUP),
        (-400_000_001, "group", ANN),
        (-400_000_001, "group", 0),
    ];
    for (id, kind, to) in rows {
        let moved = super::message(MALLORY, json!({"migrate_to_chat_id": to}));
        let moved = with(moved, "/message/chat", json!({"id": id, "type": kind}));
        refused(moved, Reason::NotAGroup);
    }
}

// What is wrong is reported in a fixed order, so that an answer says as much as is known for sure.
#[test]
fn the_first_reason_is_the_one_told() {
    let everything = || {
        let mut update = contact(MALLORY, ANN, "call me");
        update["message"]["chat"] = json!({"id": ANN, "type": "group"});
        update["message"]["forward_origin"] = json!({});
        update["message"]["via_bot"] = json!({});
        update["message"]["from"]["is_bot"] = json!(true);
        update
    };
    let mut update = everything();
    type Mend = fn(&mut Value);
    let rows: [(Reason, Mend); 7] = [
        (Reason::NotPrivate, |update| {
            update["message"]["chat"]["type"] = json!("private")
        }),
        (Reason::SenderIsBot, |update| {
            update["message"]["from"]["is_bot"] = json!(false)
        }),
        (Reason::NotTheSendersChat, |update| {
            update["message"]["chat"]["id"] = json!(MALLORY)
        }),
        (Reason::Forwarded, |update| {
            update["message"]["forward_origin"] = json!(null)
        }),
        (Reason::OnBehalf, |update| {
            update["message"]["via_bot"] = json!(null)
        }),
        (Reason::ContactOfAnother, |update| {
            update["message"]["contact"]["user_id"] = json!(MALLORY);
        }),
        (Reason::NotAPhone, |update| {
            update["message"]["contact"]["phone_number"] = json!("380500000009");
        }),
    ];
    for (reason, mend) in rows {
        refused(update.clone(), reason);
        mend(&mut update);
    }
    assert!(matches!(asks(update), Action::AddToken { .. }));
}

// Without these, a program that refuses everything would pass.
#[test]
fn the_updates_that_the_forgeries_are_made_of_register() {
    let at = Timestamp::from_millis(SENT * 1_000);
    assert_eq!(
        asks(start(ANN, &link())),
        Action::AddToken {
            token: token(ANN),
            proved: Proved::CustomerId(customer(CUSTOMER)),
            at,
        }
    );
    assert_eq!(
        asks(contact(ANN, ANN, PHONE)),
        Action::AddToken {
            token: token(ANN),
            proved: Proved::Phone(Phone::parse("380500000001").unwrap()),
            at,
        }
    );
    assert_eq!(
        asks(standing(ANN, "kicked")),
        Action::ReportBlocked {
            token: token(ANN),
            reason: "Forbidden: bot was blocked by the user",
            at,
        }
    );
}
