//! What sound updates ask for, and what the store makes of them in the orders in which they may come.

use contact_store::{
    AppName, Card, ConnectApp, ContactStore, GivenIdentifiers, Options, Phone, Timestamp, Token,
    TokenEntry,
};
use serde_json::{Value, json};

use super::example::Bot;
use super::example::action::{Action, Proved, Reason};
use super::{
    ANN, CUSTOMER, NOW, SAMPLE_APP, SENT, asks, contact, customer, link, links_of, message,
    standing, start, with,
};

fn token(id: i64) -> Token {
    Token::parse(id.to_string()).unwrap()
}

fn store() -> ContactStore {
    store_with(Options::default())
}

fn store_with(options: Options) -> ContactStore {
    let store = ContactStore::open_in_memory(options).unwrap();
    let name = AppName::parse("Shop bot").unwrap();
    let request = ConnectApp::new(name).id(SAMPLE_APP);
    store.connect_app(request).wait().unwrap();
    store
}

/// Applies updates; gives the action of each, and its outcome or reason in short.
#[track_caller]
fn became(store: &ContactStore, updates: &[Value]) -> Vec<String> {
    let log: String = updates.iter().map(|update| format!("{update}\n")).collect();
    let links = links_of(SAMPLE_APP);
    let bot = Bot {
        store,
        app: SAMPLE_APP,
        links: &links,
        limits: contact_store::Limits::default(),
    };
    let mut answers = Vec::new();
    bot.apply_all(|| NOW, log.as_bytes(), &mut answers).unwrap();
    let answers = String::from_utf8(answers).unwrap();
    answers.lines().map(in_short).collect()
}

fn in_short(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let result = &answer["outcome"]["results"][0];
    let back = (answer["action"] == "bringBack").then(|| &answer["outcome"]["outcome"]);
    let says = [&result["token"], &result["outcome"], &answer["reason"]];
    let says = back.into_iter().chain(says).find_map(Value::as_str);
    says.map_or_else(|| answer.to_string(), str::to_owned)
}

fn ann(store: &ContactStore) -> Card {
    let given = GivenIdentifiers::new().external_customer_id(CUSTOMER);
    let found = crate::support::find(store, given).unwrap();
    found.unwrap().card
}

/// The same update, sent at another time.
fn at(update: Value, date: u64) -> Value {
    let kind = match update.get("message") {
        Some(_) => "message",
        None => "my_chat_member",
    };
    with(update, &format!("/{kind}/date"), json!(date))
}

#[test]
fn start_may_carry_the_name_of_the_bot() {
    let text = format!("/start@example_shop_bot {}", link());
    let said = with(start(ANN, ""), "/message/text", json!(text));
    let said = with(said, "/message/entities/0/length", json!(23));
    assert_eq!(asks(said), asks(start(ANN, &link())));
    let other = format!("/started {}", link());
    let said = with(start(ANN, ""), "/message/text", json!(other));
    let said = with(said, "/message/entities/0/length", json!(8));
    assert_eq!(asks(said), Action::Nothing(Reason::NoIdentifier));
}

// R4: Telegram gives phones both ways.
#[test]
fn a_phone_counts_with_and_without_a_plus() {
    for phone in ["380500000001", "+380500000001", "+380 50 000 00 01"] {
        assert_eq!(
            asks(contact(ANN, ANN, phone)),
            Action::AddToken {
                token: token(ANN),
                proved: Proved::Phone(Phone::parse("380500000001").unwrap()),
                at: Timestamp::from_millis(SENT * 1_000),
            }
        );
    }
}

#[test]
fn a_token_is_the_whole_id_of_the_chat_in_decimal() {
    let greatest = (1 << 52) - 1;
    for id in [1, 4_294_967_296, greatest, i64::MAX] {
        match asks(start(id, &link())) {
            Action::AddToken { token, .. } => assert_eq!(token.as_str(), id.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn r54_times_are_those_of_the_updates_and_no_later_than_the_clock() {
    let sent = at(start(ANN, &link()), u64::MAX);
    match asks(sent.clone()) {
        Action::AddToken { at, .. } => assert_eq!(at, Timestamp::from_millis(u64::MAX)),
        other => panic!("{other:?}"),
    }
    let store = store();
    assert_eq!(became(&store, &[start(ANN, &link())]), ["added"]);
    let seconds = ann(&store).tokens[0].added_at.as_millis() / 1_000;
    assert_eq!(seconds, SENT);
    // The future stays outside: the person can still block the bot today.
    assert_eq!(became(&store, &[sent]), ["alreadyHeld"]);
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let blocked = at(standing(ANN, "kicked"), now + 3_600);
    assert_eq!(became(&store, &[blocked]), ["removed"]);
}

#[test]
fn r24_an_update_that_comes_twice_changes_nothing() {
    let store = store();
    let updates = [start(ANN, &link()), start(ANN, &link())];
    assert_eq!(became(&store, &updates), ["added", "alreadyHeld"]);
    assert_eq!(ann(&store).tokens.len(), 1);
}

#[test]
fn r31_a_person_who_blocks_the_bot_loses_the_token_and_keeps_the_card() {
    let store = store();
    let updates = [
        start(ANN, &link()),
        standing(ANN, "kicked"),
        standing(ANN, "kicked"),
    ];
    let expected = ["added", "removed", "unknownSubscriber"];
    assert_eq!(became(&store, &updates), expected);
    assert_eq!(ann(&store).tokens.len(), 0);
    crate::support::assert_sound(&store);
}

// Both in the same second: the order in which they came decides.
#[test]
fn r31_starting_and_blocking_within_one_second_leaves_the_last_of_both() {
    let (start, kicked) = (start(ANN, &link()), standing(ANN, "kicked"));
    let store = store();
    assert_eq!(
        became(&store, &[start.clone(), kicked.clone(), start]),
        ["added", "removed", "added"]
    );
    assert_eq!(ann(&store).tokens.len(), 1);
    assert_eq!(became(&store, &[kicked]), ["removed"]);
}

#[test]
fn r63_unblocking_or_starting_again_brings_the_token_back() {
    let store = store_with(Options::default().remember_blocked(10));
    let blocked = [start(ANN, &link()), standing(ANN, "kicked")];
    for (number, back) in [standing(ANN, "member"), start(ANN, "")]
        .into_iter()
        .enumerate()
    {
        let first = if number == 0 { "added" } else { "alreadyHeld" };
        assert_eq!(became(&store, &blocked), [first, "removed"]);
        assert_eq!(ann(&store).tokens.len(), 0);
        let again = [back.clone(), back];
        assert_eq!(became(&store, &again), ["broughtBack", "notRemembered"]);
        let held = ann(&store).tokens[0].subscriber;
        assert_eq!(held, crate::support::subscriber(2 + number as u64));
    }
    assert_eq!(became(&store, &[start(ANN, &link())]), ["alreadyHeld"]);
}

#[test]
fn r35_r63_without_a_memory_unblocking_adds_nothing_and_the_next_link_makes_a_new_subscriber() {
    let store = store();
    let first = [start(ANN, &link()), standing(ANN, "kicked")];
    assert_eq!(became(&store, &first), ["added", "removed"]);
    assert_eq!(
        became(&store, &[standing(ANN, "member")]),
        ["notRemembered"]
    );
    assert_eq!(ann(&store).tokens.len(), 0);
    assert_eq!(became(&store, &[start(ANN, &link())]), ["added"]);
    assert_eq!(
        ann(&store).tokens[0].subscriber,
        crate::support::subscriber(2)
    );
}

// Telegram repeats an update that it was not told to have arrived.
#[test]
fn r31_a_block_that_comes_again_after_the_person_is_back_removes_nothing() {
    let store = store();
    let kicked = at(standing(ANN, "kicked"), SENT);
    let updates = [
        at(start(ANN, &link()), SENT - 10),
        kicked.clone(),
        at(start(ANN, &link()), SENT + 10),
        kicked,
    ];
    let expected = ["added", "removed", "added", "recorded"];
    assert_eq!(became(&store, &updates), expected);
    assert_eq!(ann(&store).tokens.len(), 1);
}

#[test]
fn a_standing_that_no_private_chat_has_asks_for_nothing() {
    for status in [
        "left",
        "restricted",
        "administrator",
        "creator",
        "Kicked",
        "",
    ] {
        let asked = asks(standing(ANN, status));
        assert_eq!(asked, Action::Nothing(Reason::OtherStanding), "{status}");
    }
}

// R31: a group that another part of the host registered.
#[test]
fn r31_a_registered_group_that_throws_the_bot_out_loses_its_token() {
    for (id, kind) in [
        (-400_000_001_i64, "group"),
        (-1_001_000_000_777, "supergroup"),
    ] {
        let chat = json!({"id": id, "type": kind, "title": "Neighbours"});
        let thrown_out = with(
            standing(ANN, "kicked"),
            "/my_chat_member/chat",
            chat.clone(),
        );
        let store = store();
        // Nobody registered it: counted nowhere (R33).
        let unknown = std::slice::from_ref(&thrown_out);
        assert_eq!(became(&store, unknown), ["unknownSubscriber"]);
        let group = TokenEntry::new(id.to_string()).external_customer_id(CUSTOMER);
        let group = contact_store::AddTokens::new(SAMPLE_APP)
            .entry(group)
            .at(Timestamp::from_millis((SENT - 10) * 1_000));
        store.add_tokens(group).wait().unwrap();
        // A bot that left, or became an administrator, may be back.
        for status in ["left", "member", "administrator", "restricted"] {
            let other = with(standing(ANN, status), "/my_chat_member/chat", chat.clone());
            assert_eq!(asks(other), Action::Nothing(Reason::NotPrivate), "{status}");
        }
        assert_eq!(became(&store, &[thrown_out]), ["removed"]);
        assert_eq!(ann(&store).tokens.len(), 0);
        crate::support::assert_sound(&store);
    }
}

#[test]
fn a_command_is_read_without_regard_to_ascii_case() {
    for command in ["/Start", "/START", "/start@Shop_Bot", "/Start@shop_bot"] {
        let length = command.len();
        let update = message(
            ANN,
            json!({
                "text": format!("{command} {}", link()),
                "entities": [{"type": "bot_command", "offset": 0, "length": length}],
            }),
        );
        assert!(matches!(asks(update), Action::AddToken { .. }), "{command}");
    }
    let other = message(
        ANN,
        json!({
            "text": format!("/starts {}", link()),
            "entities": [{"type": "bot_command", "offset": 0, "length": 7}],
        }),
    );
    assert_eq!(asks(other), Action::Nothing(Reason::NoIdentifier));
}

// Some libraries write every member that they know, `null` where Telegram leaves it out.
#[test]
fn a_member_that_need_not_be_there_may_be_null() {
    let optional = [
        "from",
        "text",
        "entities",
        "contact",
        "migrate_to_chat_id",
        "forward_origin",
        "forward_date",
        "via_bot",
        "sender_chat",
        "sender_business_bot",
        "business_connection_id",
        "reply_to_message",
    ];
    let mut update = json!({"update_id": 7, "my_chat_member": null, "edited_message": null});
    update["message"] = start(ANN, &link())["message"].clone();
    for name in optional {
        if update["message"].get(name).is_none() {
            update["message"][name] = json!(null);
        }
    }
    assert!(matches!(asks(update), Action::AddToken { .. }));
    let mut update = message(ANN, json!({}));
    for name in optional {
        update["message"][name] = json!(null);
    }
    assert_eq!(asks(update), Action::Nothing(Reason::NoIdentifier));
    let update = json!({"update_id": 7, "message": null, "my_chat_member": null});
    assert_eq!(asks(update), Action::Nothing(Reason::OtherKind));
    let mut update = contact(ANN, ANN, "380500000001");
    update["message"]["contact"]["user_id"] = json!(null);
    assert_eq!(asks(update), Action::Nothing(Reason::ContactWithoutUser));
}

// K10, R57: this program registers no group, but another part of the host may have.
#[test]
fn r57_the_token_of_a_group_that_became_a_supergroup_is_renamed() {
    let moved = message(
        ANN,
        json!({
            "chat": {"id": -400_000_001, "type": "group", "title": "Neighbours"},
            "migrate_to_chat_id": -1_001_000_000_002_i64,
        }),
    );
    assert_eq!(
        asks(moved.clone()),
        Action::RenameToken {
            old: token(-400_000_001),
            new: token(-1_001_000_000_002),
        }
    );
    let store = store();
    let group = TokenEntry::new("-400000001").external_customer_id(CUSTOMER);
    let group = contact_store::AddTokens::new(SAMPLE_APP).entry(group);
    store.add_tokens(group).wait().unwrap();
    let before = ann(&store).tokens;
    let renamed = r#"{"action":"renameToken","outcome":{"contactIds":[1],"outcome":"renamed","subscriberId":"1099511627777"},"updateId":7}"#;
    assert_eq!(became(&store, std::slice::from_ref(&moved)), [renamed]);
    let again =
        r#"{"action":"renameToken","outcome":{"outcome":"unknownSubscriber"},"updateId":7}"#;
    assert_eq!(became(&store, &[moved]), [again]);
    let after = ann(&store).tokens;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].token, token(-1_001_000_000_002));
    assert_eq!(after[0].subscriber, before[0].subscriber);
    assert_eq!(after[0].added_at, before[0].added_at);
}

// Two proofs are two identifiers, and an entry names one: nobody can tie his phone to another's card.
#[test]
fn r15_a_proved_phone_is_not_attached_to_the_card_of_a_link() {
    let store = store();
    let updates = [start(ANN, &link()), contact(ANN, ANN, "+380500000001")];
    assert_eq!(became(&store, &updates), ["added", "added"]);
    let card = ann(&store);
    assert_eq!(
        card.identifiers.external_customer_id(),
        Some(&customer(CUSTOMER))
    );
    assert_eq!(card.identifiers.phone(), None);
    assert_eq!(store.snapshot().unwrap().contact_count(), 2);
}
