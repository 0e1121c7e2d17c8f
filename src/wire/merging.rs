//! Merging, unmerging and splitting contacts: the requests read, the answers written (R58).

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::error::{Error, JsonFault};
use crate::limits::Limits;
use crate::model::fields::FieldNames;
use crate::model::identifier::{ContactId, IdentifierKind, KindSet};
use crate::model::subscriber::SubscriberId;
use crate::operations::merge::{Merge, Merged, MergedContact};
use crate::operations::split::{Split, SplitOff};
use crate::operations::unmerge::{NotGivenBack, Unmerged};

use super::answer::{ContactIds, Kinds, List, Shown};
use super::json::{Value, at};
use super::request::{
    body_members, contact_id, entries, member_path, required, subscriber_id, timestamp,
};

/// Reads the body of a request to merge the contact `from` into another, `{"into", "preview"}`
/// ([R58](crate::rulebook#r58)). Also returns whether it is only a preview.
///
/// `preview` is optional, and `false` without it.
///
/// ```
/// # use contact_store::{ContactId, Limits, Merge, wire};
/// let (from, into) = (ContactId::new(7)?, ContactId::new(5)?);
/// let body = br#"{"into": 5, "preview": true}"#;
/// let read = wire::parse_merge(from, body, &Limits::default())?;
/// assert_eq!(read, (Merge::new(from, into), true));
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form; [`Error::Field`] when the contact id is invalid.
pub fn parse_merge(from: ContactId, body: &[u8], limits: &Limits) -> Result<(Merge, bool), Error> {
    let [into, preview] = body_members(body, &["into", "preview"], limits)?;
    let into = contact_id(required(into, "", "into")?, "into")?;
    Ok((Merge::new(from, into), is_preview(preview)?))
}

/// Reads the body of a request to take out a merged contact, `{"preview"}`
/// ([R58](crate::rulebook#r58)), and returns whether it is only a preview.
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`]
/// when it is not of that form.
pub fn parse_unmerge(body: &[u8], limits: &Limits) -> Result<bool, Error> {
    let [preview] = body_members(body, &["preview"], limits)?;
    is_preview(preview)
}

/// Reads the body of a request to split a contact, `{"identifiers", "subscriberIds", "preview"}`
/// ([R58](crate::rulebook#r58)). Also returns whether it is only a preview.
///
/// `identifiers` are the kinds that go: `externalCustomerId`, `phone` or `email`. `subscriberIds` are
/// those of the tokens that go. Only `identifiers` is required.
///
/// ```
/// # use contact_store::{ContactId, IdentifierKind, Limits, Split, SubscriberId, wire};
/// let contact = ContactId::new(7)?;
/// let body = br#"{"identifiers": ["phone"], "subscriberIds": ["1099511627777"]}"#;
/// let request = Split::new(contact)
///     .identifier(IdentifierKind::Phone)
///     .subscriber(SubscriberId::new(1_099_511_627_777));
/// assert_eq!(wire::parse_split(contact, body, &Limits::default())?, (request, false));
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes, or a list more elements, than a request
/// may have; [`Error::Json`] when it is not of that form.
pub fn parse_split(
    contact: ContactId,
    body: &[u8],
    limits: &Limits,
) -> Result<(Split, bool), Error> {
    const MEMBERS: [&str; 3] = ["identifiers", "subscriberIds", "preview"];
    let [identifiers, subscribers, preview] = body_members(body, &MEMBERS, limits)?;
    let request = split(contact, identifiers, subscribers, "", limits)?;
    Ok((request, is_preview(preview)?))
}

fn is_preview(value: Option<Value<'_>>) -> Result<bool, Error> {
    let preview = value.and_then(Value::given).map(Value::boolean).transpose();
    Ok(preview.map_err(at("preview"))?.unwrap_or_default())
}

/// The request of a line to merge.
pub(super) fn merge_line(value: Value<'_>) -> Result<Merge, Error> {
    const PATH: &str = "merge";
    let [from, into] = value.members(&["from", "into"]).map_err(at(PATH))?;
    let from = contact_id(required(from, PATH, "from")?, "merge.from")?;
    let into = contact_id(required(into, PATH, "into")?, "merge.into")?;
    Ok(Merge::new(from, into))
}

/// The contact of a line to unmerge.
pub(super) fn unmerge_line(value: Value<'_>) -> Result<ContactId, Error> {
    const PATH: &str = "unmerge";
    let [contact] = value.members(&["contactId"]).map_err(at(PATH))?;
    contact_id(required(contact, PATH, "contactId")?, "unmerge.contactId")
}

/// The request of a line to split.
pub(super) fn split_line(value: Value<'_>, limits: &Limits) -> Result<Split, Error> {
    const PATH: &str = "split";
    let members = value.members(&["contactId", "identifiers", "subscriberIds", "at"]);
    let [contact, identifiers, subscribers, time] = members.map_err(at(PATH))?;
    let contact = contact_id(required(contact, PATH, "contactId")?, "split.contactId")?;
    let request = split(contact, identifiers, subscribers, PATH, limits)?;
    let time = time.and_then(Value::given).map(timestamp).transpose();
    Ok(match time.map_err(at("split.at"))? {
        Some(time) => request.at(time),
        None => request,
    })
}

fn split(
    contact: ContactId,
    identifiers: Option<Value<'_>>,
    subscribers: Option<Value<'_>>,
    path: &str,
    limits: &Limits,
) -> Result<Split, Error> {
    let mut request = Split::new(contact);
    let identifiers = required(identifiers, path, "identifiers")?;
    let list = member_path(path, "identifiers");
    for (index, kind) in entries(identifiers, &list, limits)?.into_iter().enumerate() {
        let place = || format!("{list}[{index}]");
        request = request.identifier(kind_of_text(kind).map_err(|fault| at(place())(fault))?);
    }
    let Some(subscribers) = subscribers.and_then(Value::given) else {
        return Ok(request);
    };
    let list = member_path(path, "subscriberIds");
    for (index, id) in entries(subscribers, &list, limits)?.into_iter().enumerate() {
        let place = || format!("{list}[{index}]");
        request = request.subscriber(subscriber_id(id).map_err(|fault| at(place())(fault))?);
    }
    Ok(request)
}

/// A kind of identifier other than the contact id.
pub(super) fn kind_of_text(value: Value<'_>) -> Result<IdentifierKind, JsonFault> {
    match IdentifierKind::parse(&value.text()?) {
        Ok(kind) if kind != IdentifierKind::ContactId => Ok(kind),
        _ => Err(JsonFault::NotOneOf {
            expected: "externalCustomerId, phone or email",
        }),
    }
}

/// `{"from", "into", "identifiers", "fields", "customFields", "subscriberIds", "mergedIds", "kept",
/// "sharedSubscriberIds"}`: what went over, and in `kept` what did not because the other contact has its own
/// ([R58](crate::rulebook#r58)).
#[must_use]
pub fn merged(outcome: &Merged) -> impl Serialize {
    MergedForm {
        from: outcome.from.value(),
        into: outcome.into.value(),
        went_over: Parts::of(outcome.identifiers, &outcome.fields),
        subscriber_ids: SubscriberIds::given(&outcome.tokens),
        shared_subscriber_ids: SubscriberIds::given(&outcome.shared_tokens),
        merged_ids: ContactIds::given(&outcome.ids),
        kept: Parts::given(outcome.kept_identifiers, &outcome.kept_fields),
    }
}

/// `{"contactId", "from", "identifiers", "fields", "customFields", "subscriberIds", "mergedIds",
/// "notGivenBack": {"identifiers": [{"kind", "contactId"}], "erased", "subscriberIds"}}`: what the contact has
/// again, and what it could not get back ([R58](crate::rulebook#r58)).
#[must_use]
pub fn unmerged(outcome: &Unmerged) -> impl Serialize {
    let not_given_back = &outcome.not_given_back;
    UnmergedForm {
        contact_id: outcome.contact.value(),
        from: outcome.from.value(),
        has_again: Parts::of(outcome.identifiers, &outcome.fields),
        subscriber_ids: SubscriberIds::given(&outcome.tokens),
        merged_ids: ContactIds::given(&outcome.ids),
        not_given_back: (!not_given_back.is_empty()).then(|| NotGivenBackForm::of(not_given_back)),
    }
}

/// `{"contactId", "from", "identifiers", "subscriberIds"}`: the new contact, the one that was split,
/// and what went from one to the other ([R58](crate::rulebook#r58)).
#[must_use]
pub fn split_off(outcome: &SplitOff) -> impl Serialize {
    SplitForm {
        contact_id: outcome.contact.value(),
        from: outcome.from.value(),
        identifiers: Kinds::given(outcome.identifiers),
        subscriber_ids: SubscriberIds::given(&outcome.tokens),
    }
}

/// `{"merged": [{"contactId", "mergedAt", "identifiers"}, ...]}`: the contacts that were merged into
/// one ([R58](crate::rulebook#r58)).
#[must_use]
pub fn merged_contacts(contacts: &[MergedContact]) -> impl Serialize {
    MergedContacts {
        merged: List::of(contacts, |contact| MergedContactForm {
            contact_id: contact.id.value(),
            merged_at: contact.merged_at.as_millis(),
            identifiers: Kinds::given(contact.identifiers),
        }),
    }
}

/// Subscriber ids, each written as a string.
struct SubscriberIds<'a>(&'a [SubscriberId]);

impl<'a> SubscriberIds<'a> {
    fn given(ids: &'a [SubscriberId]) -> Option<Self> {
        (!ids.is_empty()).then_some(SubscriberIds(ids))
    }
}

impl Serialize for SubscriberIds<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(|id| Shown(id.value())))
    }
}

/// Kinds of identifiers and names of fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifiers: Option<Kinds>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_fields: Option<&'a BTreeSet<String>>,
}

impl<'a> Parts<'a> {
    fn of(identifiers: KindSet, fields: &'a FieldNames) -> Self {
        let named = [
            (fields.first_name, "firstName"),
            (fields.last_name, "lastName"),
            (fields.language_code, "languageCode"),
            (fields.time_zone, "timeZone"),
        ];
        let named = named
            .into_iter()
            .filter_map(|(is, name)| is.then_some(name));
        Parts {
            identifiers: Kinds::given(identifiers),
            fields: named.collect(),
            custom_fields: Some(&fields.custom).filter(|custom| !custom.is_empty()),
        }
    }

    fn given(identifiers: KindSet, fields: &'a FieldNames) -> Option<Self> {
        let any = !identifiers.is_empty() || !fields.is_empty();
        any.then(|| Parts::of(identifiers, fields))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MergedForm<'a> {
    from: u64,
    into: u64,
    #[serde(flatten)]
    went_over: Parts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_ids: Option<SubscriberIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_subscriber_ids: Option<SubscriberIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_ids: Option<ContactIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Parts<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnmergedForm<'a> {
    contact_id: u64,
    from: u64,
    #[serde(flatten)]
    has_again: Parts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_ids: Option<SubscriberIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_ids: Option<ContactIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_given_back: Option<NotGivenBackForm<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotGivenBackForm<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identifiers: Vec<TakenForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<Kinds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_ids: Option<SubscriberIds<'a>>,
}

impl<'a> NotGivenBackForm<'a> {
    fn of(not_given_back: &'a NotGivenBack) -> Self {
        let taken = not_given_back.identifiers.iter();
        let taken = taken.map(|(kind, contact)| TakenForm {
            kind: kind.as_str(),
            contact_id: contact.value(),
        });
        NotGivenBackForm {
            identifiers: taken.collect(),
            erased: Kinds::given(not_given_back.erased),
            subscriber_ids: SubscriberIds::given(&not_given_back.tokens),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TakenForm {
    kind: &'static str,
    contact_id: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SplitForm<'a> {
    contact_id: u64,
    from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifiers: Option<Kinds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_ids: Option<SubscriberIds<'a>>,
}

#[derive(Serialize)]
struct MergedContacts<L> {
    merged: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MergedContactForm {
    contact_id: u64,
    merged_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifiers: Option<Kinds>,
}
