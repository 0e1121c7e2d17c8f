//! Reading a card from the JSON in which it was written, for clients of a host and for exports.

use crate::error::{Error, JsonError};
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::contact::{Card, HeldToken};
use crate::model::fields::{self, ContactFields};
use crate::model::identifier::{Email, ExternalCustomerId, Identifiers, Phone};

use super::json::{Value, at, may_be_shown};
use super::request::{
    body_members, contact_id, member_path, required, subscriber_id, timestamp, token_at, uuid,
};

const CARD: [&str; 12] = [
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
    "createdThroughAppUuid",
    "tokens",
];

/// Reads a card in the form in which [`card`](super::card) writes it.
///
/// A member that is `null` counts as absent. Identifiers are brought to canonical form.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let ann = ContactUpdate::new().email("ann@example.com").field("city", "Kyiv");
/// # store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
/// let ann = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
/// let json = serde_json::to_vec(&wire::card(&ann))?;
/// assert_eq!(wire::parse_card(&json, &Limits::default())?, ann);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the text has more bytes than a request may have, or the card more
/// tokens than a card may hold; [`Error::Json`] when the text is not of that form; [`Error::Field`]
/// when a value is invalid.
pub fn parse_card(body: &[u8], limits: &Limits) -> Result<Card, Error> {
    let members = body_members(body, &CARD, limits)?;
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
    ] = members.map(|member| member.and_then(Value::given));
    let id = contact_id(required(id, "", "contactId")?, "contactId")?;
    let mut identifiers = Identifiers::new().with_contact_id(id);
    if let Some(external) = text(external, "externalCustomerId")? {
        identifiers = identifiers.with_external_customer_id(ExternalCustomerId::parse(&external)?);
    }
    if let Some(phone) = text(phone, "phone")? {
        identifiers = identifiers.with_phone(Phone::parse(&phone)?);
    }
    if let Some(email) = text(email, "email")? {
        identifiers = identifiers.with_email(Email::parse(&email)?);
    }
    let mut fields = ContactFields {
        first_name: text(first_name, "firstName")?,
        last_name: text(last_name, "lastName")?,
        language_code: text(language, "languageCode")?,
        time_zone: text(zone, "timeZone")?,
        ..ContactFields::default()
    };
    if let Some(custom) = custom {
        for (name, value) in custom.entries().map_err(at("fields"))? {
            let path = if may_be_shown(name.as_bytes()) {
                member_path("fields", &name)
            } else {
                "fields".to_owned()
            };
            fields::check_name(&name)?;
            fields.custom.insert(name, value.text().map_err(at(path))?);
        }
    }
    let created_at = timestamp(required(created_at, "", "createdAt")?);
    Ok(Card {
        id,
        identifiers,
        created_at: created_at.map_err(at("createdAt"))?,
        created_through: through
            .map(uuid)
            .transpose()
            .map_err(at("createdThroughAppUuid"))?,
        fields,
        tokens: held_tokens(required(tokens, "", "tokens")?, limits)?,
    })
}

fn text(value: Option<Value<'_>>, member: &'static str) -> Result<Option<String>, JsonError> {
    value.map(Value::text).transpose().map_err(at(member))
}

fn held_tokens(tokens: Value<'_>, limits: &Limits) -> Result<Vec<HeldToken>, Error> {
    let most = limits.tokens_per_contact;
    let (tokens, count) = tokens.elements(most).map_err(at("tokens"))?;
    LimitExceeded::check(Limit::TokensPerContact, count, most)?;
    let tokens = tokens.into_iter().enumerate();
    tokens
        .map(|(index, token)| held_token(token, &format!("tokens[{index}]")))
        .collect()
}

fn held_token(token: Value<'_>, path: &str) -> Result<HeldToken, Error> {
    let members = token.members(&["appUuid", "token", "subscriberId", "addedAt"]);
    let [app, token, subscriber, added_at] = members.map_err(at(path))?;
    let member = |name: &'static str| member_path(path, name);
    Ok(HeldToken {
        app: uuid(required(app, path, "appUuid")?).map_err(at(member("appUuid")))?,
        token: token_at(token, path, "token")?,
        subscriber: subscriber_id(required(subscriber, path, "subscriberId")?)
            .map_err(at(member("subscriberId")))?,
        added_at: timestamp(required(added_at, path, "addedAt")?).map_err(at(member("addedAt")))?,
    })
}
