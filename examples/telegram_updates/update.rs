//! A Telegram update, as far as it says who is who: the members of the Bot API that are read here.
//!
//! This module judges nothing. Members it does not name are skipped, whatever they hold; a member that
//! it names and that is not of the published form makes the whole update unreadable. One that need not
//! be there may be `null` as well, as many libraries write it.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Reads the updates in one text: one update, or an answer of `getUpdates`, `{"ok": true, "result":
/// [...]}`, each of whose updates is read by itself.
///
/// # Errors
///
/// [`Unreadable`], of the text as a whole.
pub fn read(text: &[u8]) -> Result<Vec<Result<Update, Unreadable>>, Unreadable> {
    // What is wrong with a text is said of the form that it seems to be of.
    let is_answer = serde_json::from_slice::<Form>(text)
        .is_ok_and(|form| form.update_id.is_none() && form.ok.is_some());
    if !is_answer {
        let text = str::from_utf8(text).map_err(|_| Unreadable::NotJson)?;
        return parse(text, "").map(|update| vec![Ok(update)]);
    }
    let text = str::from_utf8(text).map_err(|_| Unreadable::NotJson)?;
    let answer: Answer = parse(text, "")?;
    if !answer.ok {
        return Err(Unreadable::NotAnUpdate {
            path: "ok".to_owned(),
        });
    }
    let updates = answer.result.iter().enumerate();
    Ok(updates
        .map(|(place, update)| parse(update.get(), &format!("result[{place}]")))
        .collect())
}

/// Reads a value that stands at `place`, whose path comes before that of what is wrong.
fn parse<T: DeserializeOwned>(text: &str, place: &str) -> Result<T, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        match error.inner().classify() {
            Category::Data => {
                let path = error.path().to_string();
                let path = [place, path.trim_matches('.')];
                let path: Vec<&str> = path.into_iter().filter(|part| !part.is_empty()).collect();
                Unreadable::NotAnUpdate {
                    path: path.join("."),
                }
            }
            Category::Syntax | Category::Eof | Category::Io => Unreadable::NotJson,
        }
    })?;
    json.end().map_err(|_| Unreadable::NotJson)?;
    Ok(value)
}

/// Why a text is no update. What the parser says is left out, since it may quote the update.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Not JSON.
    NotJson,
    /// JSON of another form.
    NotAnUpdate {
        /// The members that lead to what is wrong: those that are read here, and no others. Empty for
        /// the text as a whole.
        path: String,
    },
}

/// What tells an update and an answer of `getUpdates` apart.
#[derive(Deserialize)]
struct Form {
    update_id: Option<IgnoredAny>,
    ok: Option<IgnoredAny>,
}

/// An answer of `getUpdates`.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Vec<Box<RawValue>>,
}

/// Takes `null` for what is left out.
fn null_as_absent<'de, T, D>(value: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// An update. Telegram sends each with one of many kinds; two of them matter here.
#[derive(Deserialize)]
pub struct Update {
    /// Its number, by which Telegram is told that it was received.
    pub update_id: i64,
    /// A new message. An edited one is of another kind, and so is one of a channel or a business.
    pub message: Option<Message>,
    /// The bot's own standing in a chat has changed.
    pub my_chat_member: Option<MemberChanged>,
}

/// A message.
#[derive(Deserialize)]
pub struct Message {
    /// When it was sent, in seconds since 1970.
    pub date: u64,
    /// Where.
    pub chat: Chat,
    /// By whom; absent in channels, and a stand-in where `sender_chat` is given.
    pub from: Option<User>,
    /// Its text.
    pub text: Option<String>,
    /// What Telegram found in the text.
    #[serde(default, deserialize_with = "null_as_absent")]
    pub entities: Vec<Entity>,
    /// A contact that it shares.
    pub contact: Option<SharedContact>,
    /// The supergroup that the group has become.
    pub migrate_to_chat_id: Option<i64>,
    /// Where it was forwarded from.
    pub forward_origin: Option<IgnoredAny>,
    /// When its original was sent: what a Bot API server before 7.0 says of a forwarded message.
    pub forward_date: Option<IgnoredAny>,
    /// The inline bot that wrote it.
    pub via_bot: Option<IgnoredAny>,
    /// The chat on whose behalf it was sent.
    pub sender_chat: Option<IgnoredAny>,
    /// The bot that sent it for a business account.
    pub sender_business_bot: Option<IgnoredAny>,
    /// The business account whose chat it stands in: no chat of this bot, though it has the same id.
    pub business_connection_id: Option<IgnoredAny>,
}

/// A chat.
#[derive(Deserialize)]
pub struct Chat {
    /// Its id: that of the person in a private chat, negative in all others.
    pub id: i64,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ChatKind,
}

/// What a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    /// One person and the bot.
    Private,
    /// A group that may become a supergroup.
    Group,
    /// A group that was one, or was made so.
    Supergroup,
    /// A channel, or what Telegram has invented since.
    #[serde(other)]
    Other,
}

/// A person or a bot.
#[derive(Deserialize)]
pub struct User {
    /// The id.
    pub id: i64,
    /// Whether it is a bot.
    pub is_bot: bool,
}

/// A part of a text that Telegram has marked.
#[derive(Deserialize)]
pub struct Entity {
    /// What it is; `bot_command` matters.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units.
    pub length: usize,
}

/// A shared phone contact. Its `vcard` is whatever the sender wrote, and is not read.
#[derive(Deserialize)]
pub struct SharedContact {
    /// The phone, with or without a leading `+`.
    pub phone_number: String,
    /// The Telegram user whose phone it is, by Telegram's own word.
    pub user_id: Option<i64>,
}

/// The standing of the bot in a chat has changed.
#[derive(Deserialize)]
pub struct MemberChanged {
    /// Where.
    pub chat: Chat,
    /// Who changed it.
    pub from: User,
    /// When, in seconds since 1970.
    pub date: u64,
    /// What it is now.
    pub new_chat_member: Member,
}

/// A standing.
#[derive(Deserialize)]
pub struct Member {
    /// `kicked` after a person blocked the bot, `member` after unblocking it.
    pub status: String,
}
