//! The list of conflicts in its published form: requests read, answers written (R61).

use serde::Serialize;

use crate::error::{Error, JsonFault};
use crate::limits::Limits;
use crate::model::conflict::{Conflict, InConflict};
use crate::model::identifier::ContactId;
use crate::operations::dismiss_conflict::ConflictDismissed;

use super::answer::{Kinds, List};
use super::endpoint::rows;
use super::json::{Value, at};
use super::request::{body_members, contact_id, member_path, required};

/// Two contacts.
type Pair = (ContactId, ContactId);

/// Reads a request for a page of conflicts, `{"after", "limit"}` ([R61](crate::rulebook#r61)).
///
/// `after` is the `pair` of a conflict, such as `3-7`: the page begins after it. `limit` may be a decimal
/// string. Both are optional.
///
/// ```
/// # use contact_store::{ContactId, Limits, wire};
/// let (after, limit) = wire::parse_conflicts_page(br#"{"after": "3-7"}"#, &Limits::default())?;
/// assert_eq!(after, Some((ContactId::new(3)?, ContactId::new(7)?)));
/// assert_eq!(limit, None);
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may have; [`Error::Json`] when it
/// is not of that form; [`Error::Field`] when a contact id is invalid.
pub fn parse_conflicts_page(
    body: &[u8],
    limits: &Limits,
) -> Result<(Option<Pair>, Option<usize>), Error> {
    let members = body_members(body, &["after", "limit"], limits)?;
    let [after, limit] = members.map(|member| member.and_then(Value::given));
    let after = after.map(|after| pair(after, "after")).transpose()?;
    Ok((after, rows(limit)?))
}

/// Reads the body of a request to dismiss a conflict, `{"contactIds": [3, 7]}`
/// ([R61](crate::rulebook#r61)).
///
/// # Errors
///
/// As for [`parse_conflicts_page`].
pub fn parse_dismiss_conflict(body: &[u8], limits: &Limits) -> Result<Pair, Error> {
    let [contacts] = body_members(body, &["contactIds"], limits)?;
    two_contacts(contacts, "")
}

/// The two contacts of a line to dismiss their conflict.
pub(super) fn dismiss_conflict_line(value: Value<'_>) -> Result<Pair, Error> {
    const PATH: &str = "dismissConflict";
    let [contacts] = value.members(&["contactIds"]).map_err(at(PATH))?;
    two_contacts(contacts, PATH)
}

/// The pair after which a page begins.
pub(super) fn pair(value: Value<'_>, path: &str) -> Result<Pair, Error> {
    const NO_PAIR: JsonFault = JsonFault::NotOneOf {
        expected: "two contact ids with a hyphen between them",
    };
    let text = value.text().map_err(at(path))?;
    let (one, other) = text.split_once('-').ok_or_else(|| at(path)(NO_PAIR))?;
    Ok((ContactId::parse(one)?, ContactId::parse(other)?))
}

fn two_contacts(value: Option<Value<'_>>, path: &str) -> Result<Pair, Error> {
    const NOT_TWO: JsonFault = JsonFault::NotOneOf {
        expected: "an array of two contact ids",
    };
    let list = member_path(path, "contactIds");
    let contacts = required(value, path, "contactIds")?;
    let (contacts, count) = contacts.elements(2).map_err(at(list.clone()))?;
    let mut contacts = contacts.into_iter();
    let (Some(one), Some(other), 2) = (contacts.next(), contacts.next(), count) else {
        return Err(at(list)(NOT_TWO).into());
    };
    Ok((
        contact_id(one, &format!("{list}[0]"))?,
        contact_id(other, &format!("{list}[1]"))?,
    ))
}

/// `{"conflicts": [...]}`: the conflicts as in [`conflict`] ([R61](crate::rulebook#r61)).
#[must_use]
pub fn conflicts(page: &[Conflict]) -> impl Serialize {
    Conflicts {
        conflicts: List::of(page, ConflictForm::of),
    }
}

/// `{"pair", "contacts": [{"contactId", "namedBy": [kinds]}, ...], "count", "firstAt", "lastAt"}`: the two
/// contacts, and how often requests named both ([R61](crate::rulebook#r61)). `pair` is the `after` of the
/// page that begins after it.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = std::sync::Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
/// # let store = ContactStore::open_in_memory(Options::default().conflicts(10).clock(clock))?;
/// # let update = ContactUpdate::new;
/// # for item in [
/// #     update().phone("380500000001"),
/// #     update().email("ann@example.com"),
/// #     update().phone("380500000001").email("ann@example.com"),
/// # ] {
/// #     store.upsert(Upsert::new(DedupeOn::PhoneThenEmail).contact(item)).wait()?;
/// # }
/// let listed = store.snapshot()?.conflicts(None, 1)?;
/// assert_eq!(
///     serde_json::to_string(&wire::conflict(&listed[0]))?,
///     r#"{"pair":"1-2","contacts":[{"contactId":1,"namedBy":["phone"]},"#.to_owned()
///         + r#"{"contactId":2,"namedBy":["email"]}],"#
///         + r#""count":1,"firstAt":1700000000000,"lastAt":1700000000000}"#,
/// );
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn conflict(conflict: &Conflict) -> impl Serialize {
    ConflictForm::of(conflict)
}

/// `{"outcome"}`, which is `dismissed` or `notListed` ([R61](crate::rulebook#r61)).
#[must_use]
pub fn conflict_dismissed(outcome: ConflictDismissed) -> impl Serialize {
    Dismissed {
        outcome: match outcome {
            ConflictDismissed::Dismissed => "dismissed",
            ConflictDismissed::NotListed => "notListed",
        },
    }
}

#[derive(Serialize)]
struct Conflicts<L> {
    conflicts: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConflictForm {
    pair: String,
    contacts: [InConflictForm; 2],
    count: u64,
    first_at: u64,
    last_at: u64,
}

impl ConflictForm {
    fn of(conflict: &Conflict) -> Self {
        let (one, other) = conflict.pair();
        ConflictForm {
            pair: format!("{one}-{other}"),
            contacts: conflict.contacts.map(InConflictForm::of),
            count: conflict.count,
            first_at: conflict.first_at.as_millis(),
            last_at: conflict.last_at.as_millis(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InConflictForm {
    contact_id: u64,
    named_by: Kinds,
}

impl InConflictForm {
    fn of(side: InConflict) -> Self {
        InConflictForm {
            contact_id: side.contact.value(),
            named_by: Kinds::of(side.named_by),
        }
    }
}

#[derive(Serialize)]
struct Dismissed {
    outcome: &'static str,
}
