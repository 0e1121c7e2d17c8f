//! Reading the lines of an export.

use crate::error::{EntryError, JsonError, JsonFault};
use crate::limits::{Limit, LimitExceeded, Limits, MERGES_PER_CONTACT};
use crate::model::app::{AccessKey, AppName, AppNumber};
use crate::model::fault::Field;
use crate::model::fields::{self, ContactFields};
use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, KindSet, Phone,
};
use crate::model::report::{MessageId, StatusCounts};
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::operations::take_over::{ExportedApp, ExportedRow, ExportedSubscriber, Start};
use crate::storage::{
    AppRow, CardRow, HeldTokenRow, MergeRow, MergedTokenRow, MessageKey, MessageRow, Parts,
};

use super::super::json::{Value, at, may_be_shown};
use super::super::merging::kind_of_text;
use super::super::request::{member_path, required, status, subscriber_id, uuid};
use super::VERSION;

/// What the first line says.
pub(crate) enum FirstLine {
    Start(Start),
    /// A newer version of this crate wrote it.
    Newer(u64),
}

/// A line after the first.
pub(crate) enum Line {
    Row(ExportedRow),
    /// The last line: how many lines come before it.
    End(u64),
}

/// Reads the first line. `None` when it is no first line of an export.
pub(crate) fn first_line(text: &[u8]) -> Option<FirstLine> {
    let line = Value::parse(text).ok()?;
    let [start] = line.members(&["contactStoreExport"]).ok()?;
    // A newer version may have other members besides.
    let entries = start?.entries().ok()?;
    let version = entries.iter().find(|(name, _)| name == "version")?.1;
    let version = version.count().ok()?;
    if version > VERSION {
        return Some(FirstLine::Newer(version));
    }
    let known = ["version", "sequence", "nextContactId", "nextAppNumber"];
    let [version, sequence, next_contact, next_app] = start?.members(&known).ok()?;
    version?.count().ok().filter(|version| *version > 0)?;
    sequence?.count().ok()?;
    let next = |value: Option<Value<'_>>, most: u64| {
        let next = value?.count().ok()?;
        (1..=most.saturating_add(1)).contains(&next).then_some(next)
    };
    Some(FirstLine::Start(Start {
        next_contact: next(next_contact, ContactId::MAX)?,
        next_app: next(next_app, AppNumber::MOST)?,
    }))
}

const KINDS: [&str; 9] = [
    "app",
    "formerApp",
    "takenContactIds",
    "formerSubscriberId",
    "contact",
    "subscriber",
    "message",
    "merge",
    "end",
];

const ONE_OF: &str = "an object with one of app, formerApp, takenContactIds, formerSubscriberId, \
                      contact, subscriber, message, merge and end";

/// Reads a line after the first.
pub(crate) fn line(text: &[u8], limits: &Limits) -> Result<Line, EntryError> {
    let line = Value::parse(text).map_err(at(""))?;
    let members = line.members(&KINDS).map_err(at(""))?;
    let mut given = members.into_iter().zip(KINDS);
    let mut given = given
        .by_ref()
        .filter_map(|(value, kind)| Some((value?, kind)));
    let not_one = || at("")(JsonFault::NotOneOf { expected: ONE_OF });
    let (value, kind) = given.next().ok_or_else(not_one)?;
    if given.next().is_some() {
        return Err(not_one().into());
    }
    Ok(Line::Row(match kind {
        "app" => ExportedRow::App(app(value)?),
        "formerApp" => ExportedRow::App(former_app(value)?),
        "takenContactIds" => ExportedRow::TakenIds(taken_ids(value)?),
        "formerSubscriberId" => former_id(value)?,
        "contact" => ExportedRow::Contact(Box::new(contact(value, limits)?)),
        "subscriber" => ExportedRow::Subscriber(subscriber(value)?),
        "message" => message(value)?,
        "merge" => merge(value, limits)?,
        _ => return end(value),
    }))
}

/// A member that must be there.
fn count(
    value: Option<Value<'_>>,
    path: &'static str,
    member: &'static str,
) -> Result<u64, JsonError> {
    required(value, path, member)?
        .count()
        .map_err(|fault| at(member_path(path, member))(fault))
}

fn time(
    value: Option<Value<'_>>,
    path: &'static str,
    member: &'static str,
) -> Result<Timestamp, JsonError> {
    count(value, path, member).map(Timestamp::from_millis)
}

fn text(
    value: Option<Value<'_>>,
    path: &'static str,
    member: &'static str,
) -> Result<Option<String>, JsonError> {
    let text = value.and_then(Value::given).map(Value::text).transpose();
    text.map_err(|fault| at(member_path(path, member))(fault))
}

fn id_of_subscriber(
    value: Option<Value<'_>>,
    path: &'static str,
    member: &'static str,
) -> Result<SubscriberId, JsonError> {
    let id = subscriber_id(required(value, path, member)?);
    id.map_err(|fault| at(member_path(path, member))(fault))
}

/// The number of an app, which a subscriber id can hold.
fn app_number(value: u64, path: &str) -> Result<AppNumber, JsonError> {
    if (1..=AppNumber::MOST).contains(&value) {
        return Ok(AppNumber(value));
    }
    Err(at(path)(JsonFault::NotOneOf {
        expected: "the number of an app, 1 to 2^23-1",
    }))
}

fn app(value: Value<'_>) -> Result<ExportedApp, EntryError> {
    const PATH: &str = "app";
    let members = value.members(&[
        "number",
        "appUuid",
        "name",
        "accessKey",
        "connectedAt",
        "subscriberIds",
        "removedByFailed",
        "removedByHost",
    ]);
    let [number, id, name, key, connected_at, ids, failed, host] = members.map_err(at(PATH))?;
    let mut app = app_of([number, id, ids, failed, host], PATH)?;
    let name = required(name, PATH, "name")?.text();
    let key = text(key, PATH, "accessKey")?;
    app.connected = Some(AppRow {
        number: app.number,
        name: AppName::parse(name.map_err(at("app.name"))?)?,
        key: key.map(AccessKey::parse).transpose()?,
        connected_at: time(connected_at, PATH, "connectedAt")?,
    });
    Ok(app)
}

fn former_app(value: Value<'_>) -> Result<ExportedApp, EntryError> {
    const PATH: &str = "formerApp";
    let members = value.members(&[
        "number",
        "appUuid",
        "subscriberIds",
        "removedByFailed",
        "removedByHost",
    ]);
    Ok(app_of(members.map_err(at(PATH))?, PATH)?)
}

/// What every app has, connected or not.
fn app_of(members: [Option<Value<'_>>; 5], path: &'static str) -> Result<ExportedApp, JsonError> {
    let [number, id, ids, failed, host] = members;
    let id = uuid(required(id, path, "appUuid")?);
    let subscriber_ids = count(ids, path, "subscriberIds")?;
    if subscriber_ids > SubscriberId::MOST_OF_AN_APP {
        return Err(at(member_path(path, "subscriberIds"))(
            JsonFault::NotOneOf {
                expected: "a number from 0 to 2^40-1",
            },
        ));
    }
    Ok(ExportedApp {
        id: id.map_err(|fault| at(member_path(path, "appUuid"))(fault))?,
        number: app_number(count(number, path, "number")?, path)?,
        connected: None,
        subscriber_ids,
        removed_by_failed: count(failed, path, "removedByFailed")?,
        removed_by_host: count(host, path, "removedByHost")?,
    })
}

fn taken_ids(value: Value<'_>) -> Result<Vec<(u64, u64)>, JsonError> {
    const PATH: &str = "takenContactIds";
    let (runs, _) = value.elements(usize::MAX).map_err(at(PATH))?;
    let runs = runs.into_iter().enumerate();
    let runs = runs
        .map(|(index, run)| taken_run(run).map_err(|fault| at(format!("{PATH}[{index}]"))(fault)));
    runs.collect()
}

fn taken_run(run: Value<'_>) -> Result<(u64, u64), JsonFault> {
    let (ends, _) = run.elements(3)?;
    if let [first, last] = *ends {
        let (first, last) = (first.count()?, last.count()?);
        if 1 <= first && first <= last && last <= ContactId::MAX {
            return Ok((first, last));
        }
    }
    Err(JsonFault::NotOneOf {
        expected: "the first and the last contact id of a run",
    })
}

fn former_id(value: Value<'_>) -> Result<ExportedRow, JsonError> {
    const PATH: &str = "formerSubscriberId";
    let [former, now] = value.members(&["former", "now"]).map_err(at(PATH))?;
    let former = id_of_subscriber(former, PATH, "former")?;
    if former.app() != AppNumber(0) {
        return Err(at("formerSubscriberId.former")(JsonFault::NotOneOf {
            expected: "a subscriber id of format 1, below 2^40",
        }));
    }
    let now = id_of_subscriber(now, PATH, "now")?;
    Ok(ExportedRow::FormerId { former, now })
}

const CONTACT: [&str; 12] = [
    "contactId",
    "externalCustomerId",
    "phone",
    "email",
    "firstName",
    "lastName",
    "languageCode",
    "timeZone",
    "fields",
    "createdAt",
    "createdThroughAppNumber",
    "tokens",
];

fn contact(value: Value<'_>, limits: &Limits) -> Result<(ContactId, CardRow), EntryError> {
    const PATH: &str = "contact";
    let members = value.members(&CONTACT).map_err(at(PATH))?;
    let [
        id,
        external,
        phone,
        email,
        first_name,
        last_name,
        language,
        zone,
        custom,
        created_at,
        through,
        tokens,
    ] = members;
    let id = id_of_contact(required(id, PATH, "contactId")?, "contact.contactId")?;
    let Parts {
        identifiers,
        fields,
    } = parts(
        [
            external, phone, email, first_name, last_name, language, zone, custom,
        ],
        PATH,
    )?;
    let through = created_through(through, PATH)?;
    let card = CardRow {
        created_at: time(created_at, PATH, "createdAt")?,
        created_through: through,
        identifiers,
        fields,
        tokens: held_tokens(required(tokens, PATH, "tokens")?, limits)?,
        last_change: None,
    };
    Ok((id, card))
}

const PARTS: [&str; 8] = [
    "externalCustomerId",
    "phone",
    "email",
    "firstName",
    "lastName",
    "languageCode",
    "timeZone",
    "fields",
];

/// Identifiers and fields, of the members [`PARTS`].
fn parts(members: [Option<Value<'_>>; 8], path: &'static str) -> Result<Parts, EntryError> {
    let [
        external,
        phone,
        email,
        first_name,
        last_name,
        language,
        zone,
        custom,
    ] = members;
    let mut identifiers = Identifiers::new();
    if let Some(external) = text(external, path, "externalCustomerId")? {
        identifiers = identifiers.with_external_customer_id(ExternalCustomerId::take(external)?);
    }
    if let Some(phone) = text(phone, path, "phone")? {
        identifiers = identifiers.with_phone(Phone::parse(&phone)?);
    }
    if let Some(email) = text(email, path, "email")? {
        identifiers = identifiers.with_email(Email::take(email)?);
    }
    let fields = ContactFields {
        first_name: field(first_name, Field::FirstName, path, "firstName")?,
        last_name: field(last_name, Field::LastName, path, "lastName")?,
        language_code: field(language, Field::LanguageCode, path, "languageCode")?,
        time_zone: field(zone, Field::TimeZone, path, "timeZone")?,
        custom: match custom.and_then(Value::given) {
            Some(custom) => custom_fields(custom, path)?,
            None => Default::default(),
        },
    };
    Ok(Parts {
        identifiers,
        fields,
    })
}

fn created_through(
    value: Option<Value<'_>>,
    path: &'static str,
) -> Result<Option<AppNumber>, JsonError> {
    const MEMBER: &str = "createdThroughAppNumber";
    let Some(number) = value.and_then(Value::given) else {
        return Ok(None);
    };
    let number = count(Some(number), path, MEMBER)?;
    app_number(number, &member_path(path, MEMBER)).map(Some)
}

fn merge(value: Value<'_>, limits: &Limits) -> Result<ExportedRow, EntryError> {
    const PATH: &str = "merge";
    const MEMBERS: [&str; 12] = [
        "contactId",
        "into",
        "mergedAt",
        "order",
        "createdAt",
        "createdThroughAppNumber",
        "moved",
        "kept",
        "erased",
        "tokens",
        "orderBefore",
        "mergedIds",
    ];
    let members = value.members(&MEMBERS).map_err(at(PATH))?;
    let [
        id,
        into,
        merged_at,
        order,
        created_at,
        through,
        moved,
        kept,
        erased,
        tokens,
        before,
        ids,
    ] = members;
    let parts_of = |value: Option<Value<'_>>, path: &'static str| {
        let Some(value) = value.and_then(Value::given) else {
            return Ok(Parts::default());
        };
        parts(value.members(&PARTS).map_err(at(path))?, path)
    };
    let most = limits.tokens_per_contact;
    let list = |value, member, most| -> Result<Vec<Value<'_>>, EntryError> {
        let (list, count) = required(value, PATH, member)?
            .elements(most)
            .map_err(at(member_path(PATH, member)))?;
        LimitExceeded::check(Limit::TokensPerContact, count, most)?;
        Ok(list)
    };
    let tokens = list(tokens, "tokens", most)?.into_iter().enumerate();
    let before = list(before, "orderBefore", most)?.into_iter();
    let before = before.map(|id| subscriber_id(id).map_err(at("merge.orderBefore")));
    let erased = match erased.and_then(Value::given) {
        None => KindSet::EMPTY,
        Some(erased) => {
            let kinds = erased.elements(IdentifierKind::ALL.len());
            let (kinds, _) = kinds.map_err(at("merge.erased"))?;
            let kinds = kinds.into_iter().map(kind_of_text);
            kinds
                .collect::<Result<_, _>>()
                .map_err(at("merge.erased"))?
        }
    };
    let (ids, count_of_ids) = required(ids, PATH, "mergedIds")?
        .elements(MERGES_PER_CONTACT)
        .map_err(at("merge.mergedIds"))?;
    LimitExceeded::check(Limit::MergesPerContact, count_of_ids, MERGES_PER_CONTACT)?;
    let ids = ids
        .into_iter()
        .map(|id| id_of_contact(id, "merge.mergedIds"));
    let row = MergeRow {
        merged_at: time(merged_at, PATH, "mergedAt")?,
        order: count(order, PATH, "order")?,
        created_at: time(created_at, PATH, "createdAt")?,
        created_through: created_through(through, PATH)?,
        last_change: None,
        moved: parts_of(moved, "merge.moved")?,
        kept: parts_of(kept, "merge.kept")?,
        erased,
        tokens: tokens
            .map(|(index, token)| merged_token(token, index))
            .collect::<Result<_, _>>()?,
        order_before: before.collect::<Result<_, _>>()?,
        ids: ids.collect::<Result<_, _>>()?,
    };
    let id = id_of_contact(required(id, PATH, "contactId")?, "merge.contactId")?;
    let into = id_of_contact(required(into, PATH, "into")?, "merge.into")?;
    Ok(ExportedRow::Merge(Box::new((id, into, row))))
}

fn merged_token(token: Value<'_>, index: usize) -> Result<MergedTokenRow, JsonError> {
    let path = || format!("merge.tokens[{index}]");
    let of = |member: &'static str| move |fault| at(member_path(&path(), member))(fault);
    let missing = |member| at(path())(JsonFault::Missing(member));
    let members = token.members(&["subscriberId", "addedAt", "place"]);
    let members = members.map_err(|fault| at(path())(fault))?;
    let [subscriber, added_at, place] = members.map(|member| member.and_then(Value::given));
    let subscriber = subscriber.ok_or_else(|| missing("subscriberId"))?;
    let added_at = added_at.ok_or_else(|| missing("addedAt"))?;
    Ok(MergedTokenRow {
        subscriber: subscriber_id(subscriber).map_err(of("subscriberId"))?,
        added_at: Timestamp::from_millis(added_at.count().map_err(of("addedAt"))?),
        place: place.map(Value::count).transpose().map_err(of("place"))?,
    })
}

fn id_of_contact(value: Value<'_>, path: &'static str) -> Result<ContactId, EntryError> {
    let id = value.count().map_err(at(path))?;
    Ok(ContactId::new(id)?)
}

fn field(
    value: Option<Value<'_>>,
    field: Field,
    path: &'static str,
    member: &'static str,
) -> Result<Option<String>, EntryError> {
    let value = text(value, path, member)?;
    if let Some(value) = &value {
        fields::check_value(field, value)?;
    }
    Ok(value)
}

type CustomFields = std::collections::BTreeMap<String, String>;

fn custom_fields(custom: Value<'_>, path: &str) -> Result<CustomFields, EntryError> {
    let fields = member_path(path, "fields");
    let mut read = CustomFields::new();
    for (name, value) in custom.entries().map_err(at(&*fields))? {
        fields::check_name(&name)?;
        let value = value.text().map_err(|fault| {
            let shown = may_be_shown(name.as_bytes());
            let path = if shown {
                member_path(&fields, &name)
            } else {
                fields.clone()
            };
            at(path)(fault)
        })?;
        fields::check_value(Field::CustomFieldValue, &value)?;
        read.insert(name, value);
    }
    Ok(read)
}

fn held_tokens(tokens: Value<'_>, limits: &Limits) -> Result<Vec<HeldTokenRow>, EntryError> {
    let most = limits.tokens_per_contact;
    let (tokens, count) = tokens.elements(most).map_err(at("contact.tokens"))?;
    LimitExceeded::check(Limit::TokensPerContact, count, most)?;
    let tokens = tokens.into_iter().enumerate();
    tokens
        .map(|(index, token)| held_token(token, index))
        .collect()
}

fn held_token(held: Value<'_>, index: usize) -> Result<HeldTokenRow, EntryError> {
    let path = || format!("contact.tokens[{index}]");
    let of =
        |member: &'static str| move |fault| at(format!("contact.tokens[{index}].{member}"))(fault);
    let missing = |member| at(path())(JsonFault::Missing(member));
    let members = held.members(&["subscriberId", "token", "addedAt"]);
    let members = members.map_err(|fault| at(path())(fault))?;
    let [subscriber, token, added_at] = members.map(|member| member.and_then(Value::given));
    let subscriber = subscriber.ok_or_else(|| missing("subscriberId"))?;
    let token = token.ok_or_else(|| missing("token"))?;
    let added_at = added_at.ok_or_else(|| missing("addedAt"))?;
    Ok(HeldTokenRow {
        subscriber: subscriber_id(subscriber).map_err(of("subscriberId"))?,
        token: Token::parse(token.text().map_err(of("token"))?)?,
        added_at: Timestamp::from_millis(added_at.count().map_err(of("addedAt"))?),
    })
}

fn subscriber(value: Value<'_>) -> Result<ExportedSubscriber, EntryError> {
    const PATH: &str = "subscriber";
    let members = value.members(&[
        "subscriberId",
        "contactIds",
        "lastRegisteredAt",
        "lastStatus",
        "lastStatusAt",
        "muted",
        "counts",
    ]);
    let [id, holders, registered, last_status, last_at, muted, counts] =
        members.map_err(at(PATH))?;
    let (holders, _) = required(holders, PATH, "contactIds")?
        .elements(usize::MAX)
        .map_err(at("subscriber.contactIds"))?;
    let holders = holders.into_iter();
    let last_status = match (
        last_status.and_then(Value::given),
        last_at.and_then(Value::given),
    ) {
        (None, None) => None,
        (named, at_time) => {
            let named = status(required(named, PATH, "lastStatus")?);
            Some((
                named.map_err(at("subscriber.lastStatus"))?,
                time(at_time, PATH, "lastStatusAt")?,
            ))
        }
    };
    Ok(ExportedSubscriber {
        id: id_of_subscriber(id, PATH, "subscriberId")?,
        holders: holders
            .map(|holder| id_of_contact(holder, "subscriber.contactIds"))
            .collect::<Result<_, _>>()?,
        last_registered_at: time(registered, PATH, "lastRegisteredAt")?,
        last_status,
        muted: muted.and_then(Value::given).map(mute_end).transpose()?,
        counts: status_counts(counts, "subscriber.counts")?,
    })
}

fn mute_end(value: Value<'_>) -> Result<MuteEnd, JsonError> {
    const PATH: &str = "subscriber.muted";
    let [until] = value.members(&["until"]).map_err(at(PATH))?;
    if until.and_then(Value::given).is_none() {
        return Ok(MuteEnd::Never);
    }
    time(until, PATH, "until").map(MuteEnd::At)
}

/// How many reports of each status there were: none when nothing is given.
fn status_counts(value: Option<Value<'_>>, path: &'static str) -> Result<StatusCounts, JsonError> {
    let Some(value) = value.and_then(Value::given) else {
        return Ok(StatusCounts::default());
    };
    let members = value.members(&["sent", "failed", "clicked"]);
    let [sent, failed, clicked] = members.map_err(at(path))?;
    Ok(StatusCounts {
        sent: count(sent, path, "sent")?,
        failed: count(failed, path, "failed")?,
        clicked: count(clicked, path, "clicked")?,
    })
}

fn message(value: Value<'_>) -> Result<ExportedRow, EntryError> {
    const PATH: &str = "message";
    let members = value.members(&["appNumber", "messageId", "lastAt", "counts"]);
    let [app, id, last_at, counts] = members.map_err(at(PATH))?;
    let id = required(id, PATH, "messageId")?.text();
    let app = count(app, PATH, "appNumber")?;
    let key = MessageKey {
        app: app_number(app, "message.appNumber")?,
        message: MessageId::parse(id.map_err(at("message.messageId"))?)?,
    };
    let tally = MessageRow {
        last_at: time(last_at, PATH, "lastAt")?,
        counts: status_counts(counts, "message.counts")?,
    };
    Ok(ExportedRow::Message(key, tally))
}

fn end(value: Value<'_>) -> Result<Line, EntryError> {
    let [lines] = value.members(&["lines"]).map_err(at("end"))?;
    Ok(Line::End(count(lines, "end", "lines")?))
}
