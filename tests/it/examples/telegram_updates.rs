//! The example between a Telegram bot and the store: what proves who somebody is, and what does not.

mod forgeries;
mod links;
mod program;
mod updates;

#[path = "../../../examples/telegram_updates.rs"]
#[expect(dead_code, reason = "its `main` is not run here")]
pub mod example;

use contact_store::{AppId, ExternalCustomerId};
use example::action::{Action, action};
use example::deep_link::DeepLinks;
use example::update;
use serde_json::{Value, json};

/// The key of the recorded sample.
const KEY: &[u8] = b"a sample key that everybody knows: never use it";
/// The bot of the recorded sample.
const SAMPLE_APP: AppId = AppId::from_u128(0x7b1d_2f40_9c3e_4a58_8d61_5e0f_a1b2_c3d4);
/// When the tests take place, in seconds since 1970.
const NOW: u64 = 1_700_000_000;
/// When their updates were sent.
const SENT: u64 = NOW - 60;
/// The customer whose card is protected, and the person who may join it.
const CUSTOMER: &str = "shop-1";
const ANN: i64 = 700_000_001;
/// Somebody else, who has a Telegram account like anybody.
const MALLORY: i64 = 700_000_009;

/// The links of a bot under the sample's key.
fn links_of(app: AppId) -> DeepLinks {
    DeepLinks::new(app, KEY).unwrap()
}

fn customer(id: &str) -> ExternalCustomerId {
    ExternalCustomerId::parse(id).unwrap()
}

/// A sound link to the customer's card.
fn link() -> String {
    let links = links_of(SAMPLE_APP);
    links.sign(&customer(CUSTOMER), NOW + 3_600).unwrap()
}

/// `/start` with a payload, as a client sends it when somebody opens a deep link.
fn start(from: i64, payload: &str) -> Value {
    message(
        from,
        json!({
            "text": format!("/start {payload}"),
            "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
        }),
    )
}

/// A shared contact with a phone of Telegram's user `of`.
fn contact(from: i64, of: i64, phone: &str) -> Value {
    let contact = json!({"phone_number": phone, "first_name": "Ann", "user_id": of});
    message(from, json!({ "contact": contact }))
}

/// A message in the private chat of `from`, with these members.
fn message(from: i64, members: Value) -> Value {
    let mut update = json!({"update_id": 7, "message": {
        "message_id": 1,
        "date": SENT,
        "from": {"id": from, "is_bot": false, "first_name": "Ann"},
        "chat": {"id": from, "type": "private", "first_name": "Ann"},
    }});
    for (name, value) in members.as_object().unwrap() {
        update["message"][name] = value.clone();
    }
    update
}

/// The bot's standing in the private chat of `from` has changed.
fn standing(from: i64, status: &str) -> Value {
    let bot = json!({"id": 110_201_543, "is_bot": true, "first_name": "Shop bot"});
    json!({"update_id": 7, "my_chat_member": {
        "date": SENT,
        "from": {"id": from, "is_bot": false, "first_name": "Ann"},
        "chat": {"id": from, "type": "private", "first_name": "Ann"},
        "old_chat_member": {"user": bot, "status": "member"},
        "new_chat_member": {"user": bot, "status": status, "until_date": 0},
    }})
}

/// An update with `value` at `pointer`, whose parent is there.
#[track_caller]
fn with(mut update: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    update.pointer_mut(parent).unwrap()[name] = value;
    update
}

/// An update without the member at `pointer`.
#[track_caller]
fn without(mut update: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = update.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    members.remove(name).unwrap();
    update
}

/// What an update asks for.
#[track_caller]
fn asks(update: Value) -> Action {
    let mut updates = update::read(update.to_string().as_bytes()).unwrap();
    let update = updates.remove(0).unwrap();
    action(&update, &links_of(SAMPLE_APP), NOW)
}
