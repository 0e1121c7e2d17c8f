//! What an update asks of the store: the whole of a host's judgement, as one pure function.
//!
//! It knows no store, no clock and no JSON, so a host can lift it. It takes an update for what Telegram
//! said: that it came from Telegram is for the host to make sure of (`getUpdates` over TLS, or the
//! secret token of a webhook compared in constant time), before anything here.
//!
//! The store trusts identifiers, so each must be proved here: a person who could pass off another's
//! would take over that person's card and read what is sent to it. There are two proofs: a deep link
//! that the host signed, and a phone that Telegram itself says is the sender's. Either must come from
//! the person, by hand, in the private chat with the bot. An entry names only the one identifier that
//! was proved; what a person says about himself beside it is not even read.

use contact_store::{ExternalCustomerId, Phone, Timestamp, Token};

use super::deep_link::{BadLink, DeepLinks};
use super::update::{Chat, ChatKind, MemberChanged, Message, SharedContact, Update, User};

/// What to ask of the store.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Add the token of a person with the identifier that is proved to be his.
    AddToken {
        /// The id of the private chat.
        token: Token,
        /// The identifier.
        proved: Proved,
        /// When Telegram got the message.
        at: Timestamp,
    },
    /// Report FAILED with a reason that removes (R31, R32): the person has blocked the bot, or somebody
    /// has thrown it out of a group.
    ReportBlocked {
        /// The id of the chat.
        token: Token,
        /// What the Bot API answers from then on to a message for the chat.
        reason: &'static str,
        /// When. A report that comes late does not undo a later registration (R31).
        at: Timestamp,
    },
    /// Bring the token back to the contacts that held it (R63): the person has unblocked the bot, or
    /// begins again. It names nobody, so nobody else gets the token by it: a chat is one person's for
    /// ever.
    BringBack {
        /// The id of the private chat.
        token: Token,
        /// When.
        at: Timestamp,
    },
    /// Rename the token of a chat that migrated (R57).
    RenameToken {
        /// The id of the group that was.
        old: Token,
        /// The id of the supergroup that it has become.
        new: Token,
    },
    /// Nothing.
    Nothing(Reason),
}

/// An identifier that is proved to be the sender's.
#[derive(Debug, PartialEq, Eq)]
pub enum Proved {
    /// By a deep link.
    CustomerId(ExternalCustomerId),
    /// By Telegram.
    Phone(Phone),
}

/// Why nothing is asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Of a kind that proves nothing: an edited message, a channel post, a button pressed.
    OtherKind,
    /// Of several kinds, which Telegram never sends.
    SeveralKinds,
    /// A message with neither a deep link nor a contact.
    NoIdentifier,
    /// Not in a private chat: others than the sender read there.
    NotPrivate,
    /// Nobody sent it.
    NoSender,
    /// A bot sent it.
    SenderIsBot,
    /// The chat is not the one that its sender has with the bot.
    NotTheSendersChat,
    /// Written by somebody else before it was sent on.
    Forwarded,
    /// Written by a bot, or sent for a chat or a business.
    OnBehalf,
    /// The payload of the deep link names nobody.
    Link(BadLink),
    /// The contact of another person.
    ContactOfAnother,
    /// A contact of whom Telegram does not say who it is.
    ContactWithoutUser,
    /// Telegram's phone is invalid by R4.
    NotAPhone,
    /// A standing of the bot that no private chat has.
    OtherStanding,
    /// A chat that cannot become a supergroup, or what it became cannot be one.
    NotAGroup,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Reason::OtherKind => "otherKind",
            Reason::SeveralKinds => "severalKinds",
            Reason::NoIdentifier => "noIdentifier",
            Reason::NotPrivate => "notPrivate",
            Reason::NoSender => "noSender",
            Reason::SenderIsBot => "senderIsBot",
            Reason::NotTheSendersChat => "notTheSendersChat",
            Reason::Forwarded => "forwarded",
            Reason::OnBehalf => "onBehalf",
            Reason::Link(bad) => bad.code(),
            Reason::ContactOfAnother => "contactOfAnother",
            Reason::ContactWithoutUser => "contactWithoutUser",
            Reason::NotAPhone => "notAPhone",
            Reason::OtherStanding => "otherStanding",
            Reason::NotAGroup => "notAGroup",
        }
    }
}

/// What an update asks of the store at the time `now`, in seconds since 1970.
///
/// Links expire by `now` and not by the update's own date: the date is as old as the recording that an
/// update is read from, and a link must not outlive its time because somebody kept the update.
#[must_use]
pub fn action(update: &Update, links: &DeepLinks, now: u64) -> Action {
    let asked = match (&update.message, &update.my_chat_member) {
        (Some(message), None) => message_action(message, links, now),
        (None, Some(changed)) => member_action(changed),
        (None, None) => Err(Reason::OtherKind),
        (Some(_), Some(_)) => Err(Reason::SeveralKinds),
    };
    asked.unwrap_or_else(Action::Nothing)
}

/// The checks stand in a fixed order, and the first that fails names the reason: what the message
/// claims, who sent it and where, how it came to be, and at last whether the claim is proved.
fn message_action(message: &Message, links: &DeepLinks, now: u64) -> Result<Action, Reason> {
    if let Some(to) = message.migrate_to_chat_id {
        return migration_action(&message.chat, to);
    }
    let claim = Claim::of(message)?;
    let token = own_chat(&message.chat, message.from.as_ref())?;
    written_by_hand(message)?;
    let at = time(message.date);
    let proved = match claim {
        Claim::Start => return Ok(Action::BringBack { token, at }),
        Claim::Link(payload) => {
            Proved::CustomerId(links.verify(payload, now).map_err(Reason::Link)?)
        }
        Claim::Contact(contact) => own_phone(contact, &message.chat)?,
    };
    Ok(Action::AddToken { token, proved, at })
}

/// Who a message says its sender is. Nothing of it is proved.
enum Claim<'a> {
    /// Who it was before.
    Start,
    Link(&'a str),
    Contact(&'a SharedContact),
}

impl<'a> Claim<'a> {
    fn of(message: &'a Message) -> Result<Self, Reason> {
        if let Some(contact) = &message.contact {
            return Ok(Claim::Contact(contact));
        }
        match start_payload(message) {
            None => Err(Reason::NoIdentifier),
            Some("") => Ok(Claim::Start),
            Some(payload) => Ok(Claim::Link(payload)),
        }
    }
}

/// What follows `/start`, which may carry the name of the bot; `None` if it is not that command. Case
/// does not matter: some keyboards write the first letter of a line large.
fn start_payload(message: &Message) -> Option<&str> {
    let text = message.text.as_deref()?;
    let mut marked = message.entities.iter();
    let command = marked.find(|marked| marked.kind == "bot_command" && marked.offset == 0)?;
    // A command is ASCII, so UTF-16 code units and bytes are the same number.
    let (command, payload) = text.split_at_checked(command.length)?;
    let name = command.split('@').next()?;
    name.eq_ignore_ascii_case("/start").then(|| payload.trim())
}

/// The token of the private chat that a person has with the bot, if this is it.
fn own_chat(chat: &Chat, from: Option<&User>) -> Result<Token, Reason> {
    if chat.kind != ChatKind::Private {
        return Err(Reason::NotPrivate);
    }
    let from = from.ok_or(Reason::NoSender)?;
    if from.is_bot {
        return Err(Reason::SenderIsBot);
    }
    // A person's id is that of the private chat with him, and is positive: those of groups and
    // channels are not, so that no group can ever pass for a person.
    if from.id != chat.id || chat.id <= 0 {
        return Err(Reason::NotTheSendersChat);
    }
    token(chat.id).ok_or(Reason::NotTheSendersChat)
}

/// That the sender wrote the message: another's `/start` or contact proves nothing when sent on, and
/// an inline bot writes what it likes under the name of the person that picks its result.
fn written_by_hand(message: &Message) -> Result<(), Reason> {
    if message.forward_origin.is_some() || message.forward_date.is_some() {
        return Err(Reason::Forwarded);
    }
    let on_behalf = [
        &message.via_bot,
        &message.sender_chat,
        &message.sender_business_bot,
        &message.business_connection_id,
    ];
    if on_behalf.into_iter().any(Option::is_some) {
        return Err(Reason::OnBehalf);
    }
    Ok(())
}

/// The phone of a contact, if it is the sender's own. Everybody can share anybody's contact.
fn own_phone(contact: &SharedContact, senders: &Chat) -> Result<Proved, Reason> {
    let whose = contact.user_id.ok_or(Reason::ContactWithoutUser)?;
    if whose != senders.id {
        return Err(Reason::ContactOfAnother);
    }
    let phone = Phone::parse(&contact.phone_number).map_err(|_| Reason::NotAPhone)?;
    Ok(Proved::Phone(phone))
}

/// In a private chat, Telegram tells the bot's standing only when the person blocks or unblocks it.
fn member_action(changed: &MemberChanged) -> Result<Action, Reason> {
    let kicked = changed.new_chat_member.status == "kicked";
    if kicked && let Some(action) = thrown_out(changed) {
        return Ok(action);
    }
    let token = own_chat(&changed.chat, Some(&changed.from))?;
    match changed.new_chat_member.status.as_str() {
        "kicked" => Ok(Action::ReportBlocked {
            token,
            reason: BLOCKED,
            at: time(changed.date),
        }),
        "member" => Ok(Action::BringBack {
            token,
            at: time(changed.date),
        }),
        _ => Err(Reason::OtherStanding),
    }
}

const BLOCKED: &str = "Forbidden: bot was blocked by the user";
const THROWN_OUT: &str = "Forbidden: bot was kicked from the group chat";

/// The report that a group or a supergroup has thrown the bot out. This program registers no groups, but
/// others may have, in the same store; of one that nobody registered the report counts nowhere (R33). Its
/// id is negative, so this never takes a person's token. A bot that merely left says nothing: of a group
/// that becomes a supergroup Telegram says so too.
fn thrown_out(changed: &MemberChanged) -> Option<Action> {
    let is_group = matches!(changed.chat.kind, ChatKind::Group | ChatKind::Supergroup);
    if !is_group || changed.chat.id >= 0 {
        return None;
    }
    Some(Action::ReportBlocked {
        token: token(changed.chat.id)?,
        reason: THROWN_OUT,
        at: time(changed.date),
    })
}

/// A group that became a supergroup has another id, and the old one reaches nobody. This program
/// registers no groups, but others may have, in the same store; of one that nobody registered there is
/// nothing to rename. Both ids are negative, so this never takes a person's token, nor gives one.
fn migration_action(chat: &Chat, to: i64) -> Result<Action, Reason> {
    if chat.kind != ChatKind::Group || chat.id >= 0 || to >= 0 {
        return Err(Reason::NotAGroup);
    }
    Ok(Action::RenameToken {
        old: token(chat.id).ok_or(Reason::NotAGroup)?,
        new: token(to).ok_or(Reason::NotAGroup)?,
    })
}

fn token(chat: i64) -> Option<Token> {
    Token::parse(chat.to_string()).ok()
}

fn time(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}
