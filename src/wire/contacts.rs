//! Reading the request to create or update contacts from JSON (R41–R43).
//!
//! Values are not checked here: their own types decide what is valid.

#[cfg(feature = "transfer")]
use std::collections::BTreeMap;
#[cfg(feature = "transfer")]
use std::io;

use crate::error::{Error, JsonError, JsonFault};
use crate::limits::Limits;
use crate::operations::upsert::{ContactUpdate, Upsert, ValueChange};
use crate::rules::{DedupeOn, UpsertMode};

use super::json::{Value, at, may_be_shown};
use super::request::{body_members, entries, given_contact_id, required};

/// Reads the body of a request to create or update contacts, `{"contacts": [...], "dedupeOn",
/// "upsertMode"}`.
///
/// `upsertMode` is optional: `createOrUpdate`, `updateOnly` or `createOnly`.
///
/// `dedupeOn` is `contactId`, `externalCustomerId`, `phone`, `email` or `phoneThenEmail`. An item
/// has any of `contactId`, `externalCustomerId`, `phone`, `email`, `firstName`, `lastName`,
/// `languageCode`, `timeZone` and `fields`. `fields` is an object of custom fields by name, whose
/// values may also be booleans and integers ([R43](crate::rulebook#r43)). A value that is `null` is
/// removed from the card. A `contactId` or `fields` that is `null` is treated as absent, and so is
/// a blank identifier ([R1](crate::rulebook#r1)).
///
/// An item that is not of the published form is kept, and refused when the request is decided
/// ([R55](crate::rulebook#r55)).
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes or more items than a request may have;
/// [`Error::Json`] when something outside the items is wrong.
pub fn parse_upsert(body: &[u8], limits: &Limits) -> Result<Upsert, Error> {
    let members = body_members(body, &["contacts", "dedupeOn", "upsertMode"], limits)?;
    let [contacts, dedupe_on, mode] = members;
    let contacts = contacts.ok_or_else(|| at("")(JsonFault::Missing("contacts")))?;
    upsert(contacts, dedupe_on, mode, limits)
}

/// The request whose items are `contacts`.
pub(super) fn upsert(
    contacts: Value<'_>,
    dedupe_on: Option<Value<'_>>,
    mode: Option<Value<'_>>,
    limits: &Limits,
) -> Result<Upsert, Error> {
    let dedupe_on = required(dedupe_on, "", "dedupeOn")?.text();
    let dedupe_on = dedupe_on.and_then(|name| {
        DedupeOn::parse(&name).map_err(|_| JsonFault::NotOneOf {
            expected: "contactId, externalCustomerId, phone, email or phoneThenEmail",
        })
    });
    let dedupe_on = dedupe_on.map_err(at("dedupeOn"))?;
    let mode = mode.and_then(Value::given).map(upsert_mode).transpose();
    let mode = mode.map_err(at("upsertMode"))?.unwrap_or_default();
    let contacts = entries(contacts, "contacts", limits)?;
    let updates = contacts.into_iter().enumerate().map(|(index, contact)| {
        update(contact, &format!("contacts[{index}]")).unwrap_or_else(ContactUpdate::malformed)
    });
    Ok(Upsert::new(dedupe_on).upsert_mode(mode).contacts(updates))
}

fn upsert_mode(name: Value<'_>) -> Result<UpsertMode, JsonFault> {
    UpsertMode::parse(&name.text()?).map_err(|_| JsonFault::NotOneOf {
        expected: "createOrUpdate, updateOnly or createOnly",
    })
}

const UPDATE: [&str; 9] = [
    "contactId",
    "externalCustomerId",
    "phone",
    "email",
    "firstName",
    "lastName",
    "languageCode",
    "timeZone",
    "fields",
];

fn update(contact: Value<'_>, path: &str) -> Result<ContactUpdate, JsonError> {
    let members = contact.members(&UPDATE).map_err(at(path))?;
    let mut update = ContactUpdate::new();
    for (name, value) in UPDATE.into_iter().zip(members) {
        let Some(value) = value else { continue };
        let wrong = |fault| at(format!("{path}.{name}"))(fault);
        update = match name {
            "contactId" => match value
                .given()
                .map(given_contact_id)
                .transpose()
                .map_err(wrong)?
            {
                Some(Some(id)) => update.contact_id(id),
                _ => update,
            },
            "externalCustomerId" => {
                update.external_customer_id(changed(value, Value::text_or_integer).map_err(wrong)?)
            }
            "phone" => update.phone(changed(value, Value::text_or_integer).map_err(wrong)?),
            "email" => update.email(changed(value, Value::text).map_err(wrong)?),
            "firstName" => update.first_name(changed(value, Value::text).map_err(wrong)?),
            "lastName" => update.last_name(changed(value, Value::text).map_err(wrong)?),
            "languageCode" => update.language_code(changed(value, Value::text).map_err(wrong)?),
            "timeZone" => update.time_zone(changed(value, Value::text).map_err(wrong)?),
            _ => custom(update, value, &format!("{path}.{name}"))?,
        };
    }
    Ok(update)
}

/// Sets the custom fields that a JSON object has, as `fields` of an item.
#[cfg(feature = "transfer")]
pub(crate) fn set_custom_fields(
    update: ContactUpdate,
    json: &str,
    path: &str,
) -> Result<ContactUpdate, JsonError> {
    let fields = Value::parse(json.as_bytes()).map_err(at(path))?;
    custom(update, fields, path)
}

/// Custom fields as the JSON object that `fields` of an item is.
#[cfg(feature = "transfer")]
pub(crate) fn custom_fields(fields: &BTreeMap<String, String>) -> Result<String, io::Error> {
    Ok(serde_json::to_string(fields)?)
}

fn custom(
    mut update: ContactUpdate,
    fields: Value<'_>,
    path: &str,
) -> Result<ContactUpdate, JsonError> {
    let Some(fields) = fields.given() else {
        return Ok(update);
    };
    for (name, value) in fields.entries().map_err(at(path))? {
        let change = changed(value, Value::text_or_integer_or_boolean).map_err(|fault| {
            let shown = may_be_shown(name.as_bytes());
            let path = if shown {
                format!("{path}.{name}")
            } else {
                path.to_owned()
            };
            at(path)(fault)
        })?;
        update = update.field(name, change);
    }
    Ok(update)
}

/// Reads a change: `null` removes the value, anything else sets it.
fn changed<'a>(
    value: Value<'a>,
    read: impl FnOnce(Value<'a>) -> Result<String, JsonFault>,
) -> Result<ValueChange, JsonFault> {
    value.given().map_or(Ok(ValueChange::Remove), |value| {
        read(value).map(ValueChange::Set)
    })
}
