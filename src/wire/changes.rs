//! The change feed in its published form: a question for a page, and its answer (R60).

use serde::Serialize;

use crate::error::{Error, JsonFault};
use crate::limits::Limits;
use crate::model::app::AppId;
use crate::model::change::{Change, ChangePage, ChangePosition, Changed, TokenLoss};
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;

use super::answer::{List, Shown};
use super::endpoint::{rows, whole_number};
use super::json::{IntegerOrText, Value, at};
use super::request::body_members;

/// Most seconds that [`parse_changes_page`] takes for `wait`.
const MOST_WAIT: u64 = 60;

/// A question for a page of changes, as [`parse_changes_page`] reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangesQuestion {
    /// The position after which the page begins.
    pub after: Option<ChangePosition>,
    /// The most changes in the page.
    pub limit: Option<usize>,
    /// How many seconds to wait for changes when there are none.
    pub wait_seconds: Option<u64>,
}

/// Reads a question for a page of changes, `{"after", "limit", "wait"}` ([R60](crate::rulebook#r60)).
///
/// The page begins after the position `after`, and has at most `limit` changes. `wait` is how long to wait
/// for changes when there are none, 0 to 60 seconds. `limit` and `wait` may be decimal strings, and `after`
/// an integer. All three are optional.
///
/// ```
/// # use contact_store::{ChangePosition, Limits, wire};
/// let question = wire::parse_changes_page(br#"{"after": "17.3", "wait": "30"}"#, &Limits::default())?;
/// assert_eq!(question.after, Some(ChangePosition::parse("17.3")?));
/// assert_eq!((question.limit, question.wait_seconds), (None, Some(30)));
/// # Ok::<(), contact_store::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::LimitExceeded`] when the body has more bytes than a request may; [`Error::Json`] when it is
/// not of that form; [`Error::Field`] when `after` is not a position.
pub fn parse_changes_page(body: &[u8], limits: &Limits) -> Result<ChangesQuestion, Error> {
    let members = body_members(body, &["after", "limit", "wait"], limits)?;
    let [after, limit, wait] = members.map(|member| member.and_then(Value::given));
    Ok(ChangesQuestion {
        after: after.map(|after| position(after, "after")).transpose()?,
        limit: rows(limit)?,
        wait_seconds: wait.map(seconds).transpose()?,
    })
}

/// A position in the change feed: its text, or the number of a request.
pub(super) fn position(value: Value<'_>, path: &str) -> Result<ChangePosition, Error> {
    let text = match value.integer_or_text().map_err(at(path))? {
        IntegerOrText::Integer(number) => number.to_string(),
        IntegerOrText::Text(text) => text,
    };
    Ok(ChangePosition::parse(&text)?)
}

fn seconds(value: Value<'_>) -> Result<u64, Error> {
    const NO_SECONDS: JsonFault = JsonFault::NotOneOf {
        expected: "an integer from 0 to 60, or its decimal text",
    };
    let seconds = whole_number(value).map_err(at("wait"))?;
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds <= MOST_WAIT);
    seconds.ok_or_else(|| at("wait")(NO_SECONDS).into())
}

/// `{"changes": [...], "position", "more"}`: the changes as in [`change`], the `after` of the next page, and
/// whether there is more by now ([R60](crate::rulebook#r60)).
#[must_use]
pub fn changes(page: &ChangePage) -> impl Serialize {
    Changes {
        changes: List::of(&page.changes, |change| ChangeForm::from(*change)),
        position: Shown(page.position),
        more: page.more,
    }
}

/// `{"position", "at", "change", "contactId", "into", "from", "appUuid", "subscriberId", "why"}`
/// ([R60](crate::rulebook#r60)).
///
/// `change` is `contactCreated`, `contactUpdated`, `contactErased`, `contactMerged` (with `into`),
/// `contactUnmerged` or `contactSplitOff` (with `from`), `tokenAdded`, `tokenMoved`, `tokenRenamed`,
/// `tokenMuted`, `tokenUnmuted`, `tokenRemoved`, `appConnected`, `appUpdated` or `appDisconnected`. `why`,
/// of a removed token, is `failed`, `removed`, `stale`, `moved`, `joined`, `unmerged` or `split`.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default().change_feed(KeepChanges::default())
/// #     .clock(std::sync::Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)))))?;
/// # let ann = ContactUpdate::new().email("ann@example.com");
/// # store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
/// let page = store.snapshot()?.changes(ChangePosition::START, 1)?;
/// assert_eq!(
///     serde_json::to_string(&wire::change(&page.changes[0]))?,
///     r#"{"position":"1.1","at":1700000000000,"change":"contactCreated","contactId":1}"#,
/// );
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn change(change: &Change) -> impl Serialize {
    ChangeForm::from(*change)
}

#[derive(Serialize)]
struct Changes<L> {
    changes: L,
    position: Shown<ChangePosition>,
    more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeForm {
    position: Shown<ChangePosition>,
    at: u64,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<u64>,
    /// Of a merged contact, the one that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    into: Option<u64>,
    /// Of a contact that was taken out or split off, the one that it was in.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_uuid: Option<Shown<AppId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_id: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl From<Change> for ChangeForm {
    fn from(change: Change) -> Self {
        let (name, app, subscriber, why) = parts(change.what);
        let (into, from) = match change.what {
            Changed::ContactMerged { into, .. } => (Some(into), None),
            Changed::ContactUnmerged { from, .. } | Changed::ContactSplitOff { from, .. } => {
                (None, Some(from))
            }
            _ => (None, None),
        };
        ChangeForm {
            position: Shown(change.position),
            at: change.at.as_millis(),
            change: name,
            contact_id: change.what.contact().map(ContactId::value),
            into: into.map(ContactId::value),
            from: from.map(ContactId::value),
            app_uuid: app.map(Shown),
            subscriber_id: subscriber.map(|id| Shown(id.value())),
            why: why.map(TokenLoss::as_str),
        }
    }
}

type Parts = (
    &'static str,
    Option<AppId>,
    Option<SubscriberId>,
    Option<TokenLoss>,
);

fn parts(what: Changed) -> Parts {
    match what {
        Changed::ContactCreated { .. } => ("contactCreated", None, None, None),
        Changed::ContactUpdated { .. } => ("contactUpdated", None, None, None),
        Changed::ContactErased { .. } => ("contactErased", None, None, None),
        Changed::ContactMerged { .. } => ("contactMerged", None, None, None),
        Changed::ContactUnmerged { .. } => ("contactUnmerged", None, None, None),
        Changed::ContactSplitOff { .. } => ("contactSplitOff", None, None, None),
        Changed::TokenAdded {
            app, subscriber, ..
        } => ("tokenAdded", Some(app), Some(subscriber), None),
        Changed::TokenMoved {
            app, subscriber, ..
        } => ("tokenMoved", Some(app), Some(subscriber), None),
        Changed::TokenRenamed {
            app, subscriber, ..
        } => ("tokenRenamed", Some(app), Some(subscriber), None),
        Changed::TokenMuted {
            app, subscriber, ..
        } => ("tokenMuted", Some(app), Some(subscriber), None),
        Changed::TokenUnmuted {
            app, subscriber, ..
        } => ("tokenUnmuted", Some(app), Some(subscriber), None),
        Changed::TokenRemoved {
            app,
            subscriber,
            why,
            ..
        } => ("tokenRemoved", Some(app), Some(subscriber), Some(why)),
        Changed::AppConnected { app } => ("appConnected", Some(app), None, None),
        Changed::AppUpdated { app } => ("appUpdated", Some(app), None, None),
        Changed::AppDisconnected { app } => ("appDisconnected", Some(app), None, None),
    }
}
