//! Reading the requests of an HTTP API that are not batches: connecting an app, removing or
//! renaming a token, muting a subscriber, forgetting messages, removing stale subscribers, finding a contact, asking for a page.
//!
//! This module does not know HTTP. A host that gets a request in the query of a URL passes it as an
//! object of strings, so that both ways have one form and one set of errors.

use serde::Serialize;

use crate::error::{Error, JsonFault};
use crate::limits::Limits;
use crate::model::app::{AccessKey, AppId, AppName};
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::report::MessageId;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::operations::bring_back::BringBack;
use crate::operations::connect_app::ConnectApp;
use crate::operations::erase::Erase;
use crate::operations::mute::{Mute, Unmute};
use crate::operations::remove_stale::RemoveStale;
use crate::operations::remove_token::RemoveToken;
use crate::operations::rename_token::RenameToken;
use crate::rules::MatchPolicy;

use super::fault::Refused;
use super::json::{IntegerOrText, Value, at};
use super::request::{
    app_id, body_members, bring_back, canonical, contact_id, erase, mute, remove_stale,
    remove_token, rename_token, required, subscriber_id, timestamp, unmute, uuid,
};

/// Reads a request to connect an app, `{"name", "appUuid", "key"}`.
///
/// Only `name` is required. It is also returned by itself, for the answer.
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form; [`Error::Field`] when the name or the key is invalid.
pub fn parse_connect_app(body: &[u8], limits: &Limits) -> Result<(ConnectApp, AppName), Error> {
    let [name, app, key] = body_members(body, &["name", "appUuid", "key"], limits)?;
    let name = required(name, "", "name")?.text().map_err(at("name"))?;
    let name = AppName::parse(name)?;
    let mut request = ConnectApp::new(name.clone());
    if let Some(app) = app.and_then(Value::given) {
        request = request.id(uuid(app).map_err(at("appUuid"))?);
    }
    if let Some(key) = key.and_then(Value::given) {
        request = request.key(AccessKey::parse(key.text().map_err(at("key"))?)?);
    }
    Ok((request, name))
}

/// Reads the id of an app on its own, such as in the path of a URL.
///
/// # Errors
///
/// [`Error::Json`], with the path `appUuid`, when it is not a UUID.
pub fn parse_app_id(text: &str) -> Result<AppId, Error> {
    Ok(app_id(text).map_err(at("appUuid"))?)
}

/// Reads the id of a contact on its own, such as in the path of a URL.
///
/// # Errors
///
/// [`Error::Field`] when it is not a contact id ([R2](crate::rulebook#r2)).
pub fn parse_contact_id(text: &str) -> Result<ContactId, Error> {
    Ok(ContactId::parse(text)?)
}

/// Reads how a contact is erased, `{"suppress"}` ([R44](crate::rulebook#r44),
/// [R65](crate::rulebook#r65)).
///
/// `suppress` is a boolean or its text, and `false` without it.
///
/// ```
/// # use contact_store::{ContactId, Erase, Limits, wire};
/// let contact = ContactId::new(7)?;
/// let request = wire::parse_erase(contact, br#"{"suppress": "true"}"#, &Limits::default())?;
/// assert_eq!(request, Erase::new(contact).suppress());
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form.
pub fn parse_erase(contact: ContactId, body: &[u8], limits: &Limits) -> Result<Erase, Error> {
    let [suppress] = body_members(body, &["suppress"], limits)?;
    erase(contact, suppress, "")
}

/// Reads the body of a request to remove a token, `{"token", "contactId"}`
/// ([R45](crate::rulebook#r45)).
///
/// `contactId` is optional. Without it the token is removed from all cards.
///
/// ```
/// # use contact_store::{AppId, Limits, wire};
/// let body = br#"{"token": 100200300, "contactId": 7}"#;
/// assert!(wire::parse_remove_token(AppId::from_u128(1), body, &Limits::default()).is_ok());
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form; [`Error::Field`] when the token or the contact id is invalid.
pub fn parse_remove_token(app: AppId, body: &[u8], limits: &Limits) -> Result<RemoveToken, Error> {
    let [token, contact] = body_members(body, &["token", "contactId"], limits)?;
    remove_token(app, token, contact, "")
}

/// Reads the body of a request to rename a token, `{"token", "newToken"}`
/// ([R57](crate::rulebook#r57)).
///
/// # Errors
///
/// As for [`parse_remove_token`].
pub fn parse_rename_token(app: AppId, body: &[u8], limits: &Limits) -> Result<RenameToken, Error> {
    let [old, new] = body_members(body, &["token", "newToken"], limits)?;
    rename_token(app, old, new, "")
}

/// Reads the body of a request to bring back a token, `{"token"}` ([R63](crate::rulebook#r63)).
///
/// # Errors
///
/// As for [`parse_remove_token`].
pub fn parse_bring_back(app: AppId, body: &[u8], limits: &Limits) -> Result<BringBack, Error> {
    let [token] = body_members(body, &["token"], limits)?;
    bring_back(app, token, "")
}

/// Reads the body of the published request to mute a subscriber, `{"token", "duration"}`
/// ([R59](crate::rulebook#r59)).
///
/// `duration` is in seconds, from 5 to 31,536,000 (365 days). Without it the mute has no end.
///
/// ```
/// # use contact_store::{AppId, Limits, Mute, Token, wire};
/// # use std::time::Duration;
/// let app = AppId::from_u128(1);
/// let body = br#"{"token": "100200300", "duration": 3600}"#;
/// let request = Mute::new(app, Token::parse("100200300")?).duration(Duration::from_secs(3600));
/// assert_eq!(wire::parse_mute(app, body, &Limits::default())?, request);
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// As for [`parse_remove_token`].
pub fn parse_mute(app: AppId, body: &[u8], limits: &Limits) -> Result<Mute, Error> {
    let [token, duration] = body_members(body, &["token", "duration"], limits)?;
    mute(app, token, duration, "")
}

/// Reads the body of the published request to unmute a subscriber, `{"token"}`
/// ([R59](crate::rulebook#r59)).
///
/// # Errors
///
/// As for [`parse_remove_token`].
pub fn parse_unmute(app: AppId, body: &[u8], limits: &Limits) -> Result<Unmute, Error> {
    let [token] = body_members(body, &["token"], limits)?;
    unmute(app, token, "")
}

/// Reads a look-up: any of the four identifiers, and `policy` (`cascade` or `topPriority`).
///
/// The policy is `None` if it is not given.
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have. Otherwise the
/// first fault in the documented order ([R13](crate::rulebook#r13)): [`Error::Json`], or
/// [`Error::Field`] for an invalid identifier.
pub fn parse_find(
    body: &[u8],
    limits: &Limits,
) -> Result<(Identifiers, Option<MatchPolicy>), Error> {
    const FIND: [&str; 5] = [
        "contactId",
        "externalCustomerId",
        "phone",
        "email",
        "policy",
    ];
    let [given @ .., policy] = body_members(body, &FIND, limits)?;
    let identifiers = canonical(given, "")?;
    let policy = policy.and_then(Value::given).map(policy_named).transpose();
    Ok((identifiers, policy.map_err(at("policy"))?))
}

fn policy_named(value: Value<'_>) -> Result<MatchPolicy, JsonFault> {
    MatchPolicy::parse(&value.text()?).map_err(|_| JsonFault::NotOneOf {
        expected: "cascade or topPriority",
    })
}

/// Reads a request to forget old message tallies, `{"before"}`. Tallies older than that time are
/// forgotten.
///
/// ```
/// # use contact_store::{Limits, wire};
/// let before = wire::parse_forget_messages(br#"{"before": 1700000000000}"#, &Limits::default());
/// assert_eq!(before?.as_millis(), 1_700_000_000_000);
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form.
pub fn parse_forget_messages(body: &[u8], limits: &Limits) -> Result<Timestamp, Error> {
    let [before] = body_members(body, &["before"], limits)?;
    let before = timestamp(required(before, "", "before")?);
    Ok(before.map_err(at("before"))?)
}

/// Reads the body of a request to remove stale subscribers, `{"before", "dryRun"}`
/// ([R62](crate::rulebook#r62)).
///
/// `before` is in milliseconds since 1970 UTC. `dryRun` is optional, and `false` without it.
///
/// ```
/// # use contact_store::{AppId, Limits, RemoveStale, Timestamp, wire};
/// let app = AppId::from_u128(1);
/// let body = br#"{"before": 1700000000000, "dryRun": true}"#;
/// let request = RemoveStale::new(app, Timestamp::from_millis(1_700_000_000_000)).dry_run(true);
/// assert_eq!(wire::parse_remove_stale(app, body, &Limits::default())?, request);
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// As for [`parse_forget_messages`].
pub fn parse_remove_stale(app: AppId, body: &[u8], limits: &Limits) -> Result<RemoveStale, Error> {
    let [before, dry_run] = body_members(body, &["before", "dryRun"], limits)?;
    remove_stale(app, before, dry_run, "")
}

/// Reads a request without members. Any member is an error.
///
/// ```
/// # use contact_store::{Limits, wire};
/// let refused = wire::parse_no_members(br#"{"limit": "5"}"#, &Limits::default());
/// let error = refused.err().map(|error| error.to_string());
/// assert_eq!(error.as_deref(), Some("member \"limit\" is not known"));
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is anything but `{}`.
pub fn parse_no_members(body: &[u8], limits: &Limits) -> Result<(), Error> {
    let [] = body_members(body, &[], limits)?;
    Ok(())
}

/// Reads a request for a page of subscribers, `{"after", "limit"}`.
///
/// The page begins after the subscriber `after`, and has at most `limit` rows. `limit` may be a
/// decimal string. Both are optional.
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may; [`Error::Json`] when
/// it is not of that form.
pub fn parse_subscribers_page(
    body: &[u8],
    limits: &Limits,
) -> Result<(Option<SubscriberId>, Option<usize>), Error> {
    let [after, limit] = page(body, limits)?;
    let after = after.map(subscriber_id).transpose();
    Ok((after.map_err(at("after"))?, rows(limit)?))
}

/// Reads a request for a page of contacts, in the form of [`parse_subscribers_page`]
/// ([R56](crate::rulebook#r56)).
///
/// # Errors
///
/// As for [`parse_subscribers_page`], and [`Error::Field`] for an invalid contact id.
pub fn parse_contacts_page(
    body: &[u8],
    limits: &Limits,
) -> Result<(Option<ContactId>, Option<usize>), Error> {
    let [after, limit] = page(body, limits)?;
    let after = after.map(|after| contact_id(after, "after")).transpose()?;
    Ok((after, rows(limit)?))
}

/// Reads a request for a page of message tallies, in the form of [`parse_subscribers_page`].
///
/// # Errors
///
/// As for [`parse_subscribers_page`], and [`Error::Field`] for an invalid message id.
pub fn parse_messages_page(
    body: &[u8],
    limits: &Limits,
) -> Result<(Option<MessageId>, Option<usize>), Error> {
    let [after, limit] = page(body, limits)?;
    let after = after.map(Value::text).transpose().map_err(at("after"))?;
    let after = after.map(MessageId::parse).transpose()?;
    Ok((after, rows(limit)?))
}

fn page<'a>(body: &'a [u8], limits: &Limits) -> Result<[Option<Value<'a>>; 2], Error> {
    let members = body_members(body, &["after", "limit"], limits)?;
    Ok(members.map(|member| member.and_then(Value::given)))
}

pub(super) fn rows(limit: Option<Value<'_>>) -> Result<Option<usize>, Error> {
    const NO_INTEGER: JsonFault = JsonFault::NotOneOf {
        expected: "an integer from 1 to 1000, or its decimal text",
    };
    let Some(limit) = limit else { return Ok(None) };
    let rows = whole_number(limit).map_err(at("limit"))?;
    let rows = rows.ok_or_else(|| at("limit")(NO_INTEGER))?;
    // A number too large for `usize` is also too large for a page.
    Ok(Some(usize::try_from(rows).unwrap_or(usize::MAX)))
}

/// A number that is not negative, or its decimal text; `None` when it is neither.
pub(super) fn whole_number(value: Value<'_>) -> Result<Option<i128>, JsonFault> {
    Ok(match value.integer_or_text()? {
        IntegerOrText::Integer(number) if number >= 0 => Some(number),
        // `parse` alone would also take a sign.
        IntegerOrText::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    })
}

/// Writes an error of the host's own in the published form: `{"error": {"code", "message"}}`.
///
/// Neither `code` nor `message` may hold a value of a request ([R52](crate::rulebook#r52)).
#[must_use]
pub fn host_error(code: &'static str, message: &str) -> impl Serialize {
    Refused::plain(code, message)
}
