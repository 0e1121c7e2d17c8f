//! Reading the published requests from JSON.
//!
//! An error inside one entry is noted in that entry, and refuses it alone when the request is
//! decided (R55). An error outside entries refuses the request here. Values are not checked here:
//! their own types decide what is valid.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, JsonError, JsonFault};
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::AppId;
use crate::model::fault::Field;
use crate::model::identifier::{ContactId, GivenIdentifiers, IdentifierKind, Identifiers};
use crate::model::report::Status;
use crate::model::subscriber::SubscriberId;
use crate::model::text;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::operations::add_tokens::{AddTokens, TokenEntry};
use crate::operations::bring_back::BringBack;
use crate::operations::erase::Erase;
use crate::operations::mute::{Mute, Unmute};
use crate::operations::record_reports::{RecordReports, Report};
use crate::operations::remove_stale::RemoveStale;
use crate::operations::remove_token::RemoveToken;
use crate::operations::rename_token::RenameToken;

use super::json::{BYTE_ORDER_MARK, IntegerOrText, Value, at};

/// Reads the body of a published add-tokens request, `{"tokens": [...]}`, for an app.
///
/// An entry that is not of the published form is kept, and refused when the request is decided
/// ([R55](crate::rulebook#r55)).
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes or more entries than a request may have;
/// [`Error::Json`] when something outside the entries is wrong.
pub fn parse_add_tokens(app: AppId, body: &[u8], limits: &Limits) -> Result<AddTokens, Error> {
    let [tokens] = body_members(body, &["tokens"], limits)?;
    let entries = tokens.ok_or_else(|| at("")(JsonFault::Missing("tokens")))?;
    Ok(AddTokens::new(app).entries(token_entries(entries, limits)?))
}

/// Reads the body of a request to record delivery reports, `{"statuses": [...]}`, for an app.
///
/// A report that is not of the published form is kept, and refused when the request is decided
/// ([R55](crate::rulebook#r55)).
///
/// # Errors
///
/// As for [`parse_add_tokens`].
pub fn parse_reports(app: AppId, body: &[u8], limits: &Limits) -> Result<RecordReports, Error> {
    let [statuses] = body_members(body, &["statuses"], limits)?;
    let reports = statuses.ok_or_else(|| at("")(JsonFault::Missing("statuses")))?;
    Ok(RecordReports::new(app).reports(report_entries(reports, limits)?))
}

/// Reads the identifiers of a look-up, an object with any of `contactId`, `externalCustomerId`,
/// `phone` and `email`.
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have. Otherwise the
/// first fault in the documented order ([R13](crate::rulebook#r13)): [`Error::Json`], or
/// [`Error::Field`] for an invalid identifier.
pub fn parse_identifiers(body: &[u8], limits: &Limits) -> Result<Identifiers, Error> {
    identifiers(body_value(body, limits)?, "")
}

/// Checks whether a request may have this many bytes of text, so that a reader knows before it has
/// read them.
///
/// # Errors
///
/// [`LimitExceeded`] when the bytes are over the limit.
pub fn check_request_size(bytes: u64, limits: &Limits) -> Result<(), LimitExceeded> {
    LimitExceeded::check(
        Limit::RequestTextBytes,
        usize::try_from(bytes).unwrap_or(usize::MAX),
        limits.request_text_bytes,
    )
}

/// The one value that a body holds.
pub(super) fn body_value<'a>(body: &'a [u8], limits: &Limits) -> Result<Value<'a>, Error> {
    check_request_size(body.len() as u64, limits)?;
    // Some editors and libraries write a mark before the text.
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    Ok(Value::parse(text).map_err(at(""))?)
}

pub(super) fn body_members<'a, const N: usize>(
    body: &'a [u8],
    known: &[&'static str; N],
    limits: &Limits,
) -> Result<[Option<Value<'a>>; N], Error> {
    Ok(body_value(body, limits)?.members(known).map_err(at(""))?)
}

/// The entries under `tokens`.
pub(super) fn token_entries(value: Value<'_>, limits: &Limits) -> Result<Vec<TokenEntry>, Error> {
    let entries = entries(value, "tokens", limits)?.into_iter().enumerate();
    Ok(entries.map(|(i, entry)| token_entry(i, entry)).collect())
}

/// The reports under `statuses`.
pub(super) fn report_entries(value: Value<'_>, limits: &Limits) -> Result<Vec<Report>, Error> {
    let entries = entries(value, "statuses", limits)?.into_iter().enumerate();
    Ok(entries
        .map(|(i, entry)| report(i, entry).unwrap_or_else(Report::malformed))
        .collect())
}

pub(super) fn entries<'a>(
    value: Value<'a>,
    path: &str,
    limits: &Limits,
) -> Result<Vec<Value<'a>>, Error> {
    let most = limits.entries_per_request;
    let (entries, count) = value.elements(most).map_err(at(path))?;
    LimitExceeded::check(Limit::EntriesPerRequest, count, most)?;
    Ok(entries)
}

const TOKEN_ENTRY: [&str; 5] = ["token", "contactId", "externalCustomerId", "phone", "email"];

fn token_entry(index: usize, value: Value<'_>) -> TokenEntry {
    let place = || format!("tokens[{index}]");
    let [token, contact_id, external_customer_id, phone, email] = match value.members(&TOKEN_ENTRY)
    {
        Ok(members) => members,
        Err(fault) => {
            let mut entry = TokenEntry::without_token();
            entry.note_malformed(None, at(place())(fault));
            return entry;
        }
    };
    let (mut entry, missing) = match token.and_then(Value::given).map(Value::text_or_integer) {
        Some(Ok(token)) => (TokenEntry::new(token), None),
        Some(Err(fault)) => {
            let error = at(format!("{}.token", place()))(fault);
            (TokenEntry::without_token(), Some(error))
        }
        None => {
            let error = at(place())(JsonFault::Missing("token"));
            (TokenEntry::without_token(), Some(error))
        }
    };
    if let Some(error) = missing {
        entry.note_malformed(Some(Field::Token), error);
    }
    let mut given = GivenIdentifiers::new();
    let values = [contact_id, external_customer_id, phone, email];
    for (kind, value) in IdentifierKind::ALL.iter().copied().zip(values) {
        given = match read_kind(kind, value) {
            Ok(read) => read.give(given),
            Err(fault) => {
                let error = at(format!("{}.{kind}", place()))(fault);
                entry.note_malformed(Some(kind.into()), error);
                given
            }
        };
    }
    entry.identifiers(given)
}

/// An identifier of one kind, as read from JSON.
enum ReadKind {
    NotGiven,
    ContactId(i128),
    ExternalCustomerId(String),
    Phone(String),
    Email(String),
}

impl ReadKind {
    fn give(self, given: GivenIdentifiers) -> GivenIdentifiers {
        match self {
            ReadKind::NotGiven => given,
            ReadKind::ContactId(id) => given.contact_id(id),
            ReadKind::ExternalCustomerId(id) => given.external_customer_id(id),
            ReadKind::Phone(phone) => given.phone(phone),
            ReadKind::Email(email) => given.email(email),
        }
    }
}

fn read_kind(kind: IdentifierKind, value: Option<Value<'_>>) -> Result<ReadKind, JsonFault> {
    let Some(value) = value.and_then(Value::given) else {
        return Ok(ReadKind::NotGiven);
    };
    Ok(match kind {
        IdentifierKind::ContactId => {
            given_contact_id(value)?.map_or(ReadKind::NotGiven, ReadKind::ContactId)
        }
        IdentifierKind::ExternalCustomerId => {
            ReadKind::ExternalCustomerId(value.text_or_integer()?)
        }
        IdentifierKind::Phone => ReadKind::Phone(value.text_or_integer()?),
        IdentifierKind::Email => ReadKind::Email(value.text()?),
    })
}

/// Reads a contact id among identifiers. `None` for blank text, which counts as not given (R1).
pub(super) fn given_contact_id(value: Value<'_>) -> Result<Option<i128>, JsonFault> {
    Ok(match value.integer_or_text()? {
        IntegerOrText::Integer(id) => Some(id),
        IntegerOrText::Text(text) if text::is_blank(&text) => None,
        IntegerOrText::Text(text) => Some(decimal(&text)),
    })
}

/// Reads a contact id from a decimal string. If the string is not a contact id, it gives 0, which
/// is never valid. So the error arises where identifiers are checked, in the order of R13.
fn decimal(text: &str) -> i128 {
    ContactId::parse(text).map_or(0, |id| id.value().into())
}

const IDENTIFIERS: [&str; 4] = ["contactId", "externalCustomerId", "phone", "email"];

/// The identifiers of a look-up, under the member `path`.
pub(super) fn identifiers(value: Value<'_>, path: &str) -> Result<Identifiers, Error> {
    let members = value.members(&IDENTIFIERS).map_err(at(path))?;
    canonical(members, path)
}

/// Reads identifiers from these members, in the order of their kinds, under the member `path`.
pub(super) fn canonical(members: [Option<Value<'_>>; 4], path: &str) -> Result<Identifiers, Error> {
    let mut identifiers = Identifiers::new();
    for (kind, member) in IdentifierKind::ALL.iter().copied().zip(members) {
        let read =
            read_kind(kind, member).map_err(|fault| at(member_path(path, kind.as_str()))(fault))?;
        let mut given = read.give(GivenIdentifiers::new());
        given.take_kind(kind, &mut identifiers)?;
    }
    Ok(identifiers)
}

pub(super) fn member_path(path: &str, member: &str) -> String {
    if path.is_empty() {
        return member.to_owned();
    }
    format!("{path}.{member}")
}

/// Reads a request to remove a token from one card, or from all. Its members are under `path`.
pub(super) fn remove_token(
    app: AppId,
    token: Option<Value<'_>>,
    contact: Option<Value<'_>>,
    path: &str,
) -> Result<RemoveToken, Error> {
    let token = token_at(token, path, "token")?;
    Ok(match contact.and_then(Value::given) {
        Some(contact) => {
            let contact = contact_id(contact, &member_path(path, "contactId"))?;
            RemoveToken::of(app, token, contact)
        }
        None => RemoveToken::of_all(app, token),
    })
}

/// The request to remove stale subscribers.
pub(super) fn remove_stale(
    app: AppId,
    before: Option<Value<'_>>,
    dry_run: Option<Value<'_>>,
    path: &str,
) -> Result<RemoveStale, Error> {
    let before = timestamp(required(before, path, "before")?);
    let request = RemoveStale::new(app, before.map_err(at(member_path(path, "before")))?);
    let Some(dry_run) = dry_run.and_then(Value::given) else {
        return Ok(request);
    };
    let dry_run = dry_run.boolean().map_err(at(member_path(path, "dryRun")))?;
    Ok(request.dry_run(dry_run))
}

/// The request to erase a contact.
pub(super) fn erase(
    contact: ContactId,
    suppress: Option<Value<'_>>,
    path: &str,
) -> Result<Erase, Error> {
    let request = Erase::new(contact);
    let Some(suppress) = suppress.and_then(Value::given) else {
        return Ok(request);
    };
    let suppress = suppress.boolean_or_text();
    Ok(match suppress.map_err(at(member_path(path, "suppress")))? {
        true => request.suppress(),
        false => request,
    })
}

/// The seconds that a mute may last in the published request: up to 365 days.
const MUTE_SECONDS: RangeInclusive<u64> = 5..=31_536_000;

/// The request to mute a subscriber.
pub(super) fn mute(
    app: AppId,
    token: Option<Value<'_>>,
    duration: Option<Value<'_>>,
    path: &str,
) -> Result<Mute, Error> {
    const NO_DURATION: JsonFault = JsonFault::NotOneOf {
        expected: "an integer from 5 to 31536000",
    };
    let request = Mute::new(app, token_at(token, path, "token")?);
    let Some(duration) = duration.and_then(Value::given) else {
        return Ok(request);
    };
    let wrong = |fault| at(member_path(path, "duration"))(fault);
    let seconds = duration.count().map_err(wrong)?;
    if !MUTE_SECONDS.contains(&seconds) {
        return Err(wrong(NO_DURATION).into());
    }
    Ok(request.duration(Duration::from_secs(seconds)))
}

/// The request to bring back a token.
pub(super) fn bring_back(
    app: AppId,
    token: Option<Value<'_>>,
    path: &str,
) -> Result<BringBack, Error> {
    Ok(BringBack::new(app, token_at(token, path, "token")?))
}

/// The request to unmute a subscriber.
pub(super) fn unmute(app: AppId, token: Option<Value<'_>>, path: &str) -> Result<Unmute, Error> {
    Ok(Unmute::new(app, token_at(token, path, "token")?))
}

/// The request to rename a token.
pub(super) fn rename_token(
    app: AppId,
    old: Option<Value<'_>>,
    new: Option<Value<'_>>,
    path: &str,
) -> Result<RenameToken, Error> {
    let old = token_at(old, path, "token")?;
    Ok(RenameToken::new(app, old, token_at(new, path, "newToken")?))
}

pub(super) fn token_at(
    value: Option<Value<'_>>,
    path: &str,
    member: &'static str,
) -> Result<Token, Error> {
    let token = required(value, path, member)?.text_or_integer();
    Ok(Token::parse(token.map_err(at(member_path(path, member)))?)?)
}

pub(super) fn required<'a>(
    value: Option<Value<'a>>,
    path: &str,
    member: &'static str,
) -> Result<Value<'a>, JsonError> {
    value
        .and_then(Value::given)
        .ok_or_else(|| at(path)(JsonFault::Missing(member)))
}

/// Reads a contact id on its own, not among identifiers.
pub(super) fn contact_id(value: Value<'_>, path: &str) -> Result<ContactId, Error> {
    let id = match value.integer_or_text().map_err(at(path))? {
        IntegerOrText::Integer(id) => ContactId::try_from(id),
        IntegerOrText::Text(text) => ContactId::parse(&text),
    };
    Ok(id?)
}

const REPORT: [&str; 6] = [
    "token",
    "subscriberId",
    "status",
    "reason",
    "messageId",
    "at",
];

fn report(index: usize, value: Value<'_>) -> Result<Report, JsonError> {
    let place = || format!("statuses[{index}]");
    let members = value.members(&REPORT).map_err(|fault| at(place())(fault))?;
    let [token, subscriber, status, reason, message, time] =
        members.map(|member| member.and_then(Value::given));
    let of = |member: &'static str| {
        move |fault: JsonFault| at(format!("statuses[{index}].{member}"))(fault)
    };

    let token = token.map(Value::text_or_integer).transpose();
    let token = token.map_err(of("token"))?;
    let subscriber = subscriber.map(subscriber_id).transpose();
    let subscriber = subscriber.map_err(of("subscriberId"))?;
    let status = status.ok_or_else(|| at(place())(JsonFault::Missing("status")))?;
    let mut report = Report::new(self::status(status).map_err(of("status"))?);
    if let Some(token) = token {
        report = report.token(token);
    }
    if let Some(id) = subscriber {
        report = report.subscriber(id);
    }
    if let Some(reason) = reason {
        report = report.reason(reason.text_or_integer().map_err(of("reason"))?);
    }
    if let Some(message) = message {
        report = report.message(message.text().map_err(of("messageId"))?);
    }
    if let Some(time) = time {
        report = report.at(timestamp(time).map_err(of("at"))?);
    }
    Ok(report)
}

pub(super) fn status(value: Value<'_>) -> Result<Status, JsonFault> {
    Status::parse(&value.text()?).map_err(|_| JsonFault::NotOneOf {
        expected: "SENT, FAILED or CLICKED",
    })
}

pub(super) fn subscriber_id(value: Value<'_>) -> Result<SubscriberId, JsonFault> {
    SubscriberId::parse(&value.text()?).map_err(|_| JsonFault::NotOneOf {
        expected: "a subscriber id: decimal digits without a leading 0",
    })
}

pub(super) fn uuid(value: Value<'_>) -> Result<AppId, JsonFault> {
    app_id(&value.text()?)
}

pub(super) fn app_id(text: &str) -> Result<AppId, JsonFault> {
    AppId::parse(text).map_err(|_| JsonFault::NotOneOf {
        expected: "a UUID in a text form of RFC 4122",
    })
}

/// Reads a time (R54). One before March 1973 must be in seconds instead of milliseconds, and would
/// make every report late.
pub(super) fn timestamp(value: Value<'_>) -> Result<Timestamp, JsonFault> {
    const LEAST: u64 = 100_000_000_000;
    match value.count()? {
        0..LEAST => Err(JsonFault::SecondsNotMilliseconds),
        millis => Ok(Timestamp::from_millis(millis)),
    }
}
