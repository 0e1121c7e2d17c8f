//! The published request to send a message, read out of JSON (R39, R40).

use crate::error::{Error, JsonFault};
use crate::limits::Limits;
use crate::model::recipient::{GivenRecipient, Recipient};
use crate::model::send_request::{Auth, Button, SendRequest};

use super::json::{Value, at};
use super::request::{body_value, entries, member_path, required, subscriber_id, uuid};

/// Reads the body of a request to send a message: `{"subscriberId", "botId", "number", "text",
/// "buttons": [{"text", "url"}, ...], "auth": {"user", "pass"}, "includeMuted"}`.
///
/// With `subscriberId`, `botId` and `number` are ignored ([R39](crate::rulebook#r39)). `buttons`,
/// `auth` and `includeMuted` are optional. The last is not in the published request: it says whether
/// the message also goes to muted subscribers ([R59](crate::rulebook#r59)).
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have, or more buttons
/// than a request may have entries; [`Error::Json`] when it is not of this form;
/// [`Error::Recipient`] when it names no recipient; [`Error::Field`] when a value is invalid or
/// blank.
pub fn parse_send_request(body: &[u8], limits: &Limits) -> Result<SendRequest, Error> {
    send_request(body_value(body, limits)?, "", limits)
}

const SEND_REQUEST: [&str; 7] = [
    "subscriberId",
    "botId",
    "number",
    "text",
    "buttons",
    "auth",
    "includeMuted",
];

/// The request under the member `path`.
pub(super) fn send_request(
    value: Value<'_>,
    path: &str,
    limits: &Limits,
) -> Result<SendRequest, Error> {
    let members = value.members(&SEND_REQUEST).map_err(at(path))?;
    let [subscriber, bot, number, text, buttons, auth, include_muted] =
        members.map(|member| member.and_then(Value::given));
    let recipient = recipient(subscriber, bot, number, path)?;
    let text = required(text, path, "text")?.text();
    let text = text.map_err(at(member_path(path, "text")))?;
    let mut request = SendRequest::new(recipient, text)?;
    if let Some(buttons) = buttons {
        let path = member_path(path, "buttons");
        let buttons = entries(buttons, &path, limits)?.into_iter().enumerate();
        request.buttons = buttons
            .map(|(index, value)| button(value, &format!("{path}[{index}]")))
            .collect::<Result<_, _>>()?;
    }
    if let Some(auth) = auth {
        request.auth = Some(self::auth(auth, &member_path(path, "auth"))?);
    }
    if let Some(include) = include_muted {
        let include = include.boolean();
        request.include_muted = include.map_err(at(member_path(path, "includeMuted")))?;
    }
    Ok(request)
}

fn recipient(
    subscriber: Option<Value<'_>>,
    bot: Option<Value<'_>>,
    number: Option<Value<'_>>,
    path: &str,
) -> Result<Recipient, Error> {
    let wrong = |name| move |fault: JsonFault| at(member_path(path, name))(fault);
    let mut given = GivenRecipient::new();
    if let Some(value) = subscriber {
        let id = subscriber_id(value).map_err(wrong("subscriberId"))?;
        return Ok(given.subscriber(id).parse()?);
    }
    if let Some(value) = bot {
        given = given.app(uuid(value).map_err(wrong("botId"))?);
    }
    if let Some(value) = number {
        given = given.number(value.text_or_integer().map_err(wrong("number"))?);
    }
    Ok(given.parse()?)
}

fn button(value: Value<'_>, path: &str) -> Result<Button, Error> {
    let [text, url] = texts(value, ["text", "url"], path)?;
    Ok(Button::new(text, url)?)
}

fn auth(value: Value<'_>, path: &str) -> Result<Auth, Error> {
    let [user, password] = texts(value, ["user", "pass"], path)?;
    Ok(Auth::new(user, password)?)
}

/// The two text members of an object that has exactly these.
fn texts(value: Value<'_>, names: [&'static str; 2], path: &str) -> Result<[String; 2], Error> {
    let [first, second] = value.members(&names).map_err(at(path))?;
    let text = |value, name| {
        let text = required(value, path, name)?.text();
        text.map_err(at(member_path(path, name)))
    };
    let [first_name, second_name] = names;
    Ok([text(first, first_name)?, text(second, second_name)?])
}
