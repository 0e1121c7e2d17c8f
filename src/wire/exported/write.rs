//! Writing the lines of an export.
//!
//! Members that do not apply, and counts of 0, are left out.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::app::{AccessKey, AppId, AppNumber};
use crate::model::identifier::ContactId;
use crate::model::report::Status;
use crate::model::subscriber::SubscriberId;
use crate::operations::take_over::Start;
use crate::storage::{
    AppRow, AppTallyRow, BorrowedSubscriber, CardRow, HeldTokenRow, MergeRow, MergedTokenRow,
    MessageKey, MessageRow, Parts,
};

use super::super::answer::{ContactIds, Counts, Kinds, List, MutedForm, Shown};
use super::VERSION;

/// Appends a line. What it holds can always be written: the writer is memory, and every key is text.
fn push(to: &mut Vec<u8>, line: &impl Serialize) {
    let start = to.len();
    if serde_json::to_writer(&mut *to, line).is_err() {
        to.truncate(start);
    }
    to.push(b'\n');
}

/// The first line: what the text is, and where the counters of the store stand.
pub(crate) fn start(to: &mut Vec<u8>, sequence: u64, start: Start) {
    push(
        to,
        &StartLine {
            contact_store_export: StartForm {
                version: VERSION,
                sequence,
                next_contact_id: start.next_contact,
                next_app_number: start.next_app,
            },
        },
    );
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartLine {
    contact_store_export: StartForm,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartForm {
    version: u64,
    sequence: u64,
    next_contact_id: u64,
    next_app_number: u64,
}

/// A connected app. Its access key is a secret, and written only when it is given (R12).
pub(crate) fn app(
    to: &mut Vec<u8>,
    id: AppId,
    row: &AppRow,
    tally: &AppTallyRow,
    key: Option<&AccessKey>,
) {
    push(
        to,
        &AppLine {
            app: AppForm {
                number: row.number.0,
                app_uuid: Shown(id),
                name: Some(row.name.as_str()),
                access_key: key.map(AccessKey::reveal),
                connected_at: Some(row.connected_at.as_millis()),
                counts: AppCounts::from(tally),
            },
        },
    );
}

/// An app that is no longer connected.
pub(crate) fn former_app(to: &mut Vec<u8>, number: AppNumber, tally: &AppTallyRow) {
    push(
        to,
        &FormerAppLine {
            former_app: AppForm {
                number: number.0,
                app_uuid: Shown(tally.app),
                name: None,
                access_key: None,
                connected_at: None,
                counts: AppCounts::from(tally),
            },
        },
    );
}

#[derive(Serialize)]
struct AppLine<'a> {
    app: AppForm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FormerAppLine<'a> {
    former_app: AppForm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppForm<'a> {
    number: u64,
    app_uuid: Shown<AppId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<u64>,
    #[serde(flatten)]
    counts: AppCounts,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppCounts {
    subscriber_ids: u64,
    removed_by_failed: u64,
    removed_by_host: u64,
}

impl From<&AppTallyRow> for AppCounts {
    fn from(tally: &AppTallyRow) -> Self {
        AppCounts {
            subscriber_ids: tally.subscriber_ids,
            removed_by_failed: tally.removed_by_failed,
            removed_by_host: tally.removed_by_host,
        }
    }
}

/// Runs of taken contact ids.
pub(crate) fn taken_ids(to: &mut Vec<u8>, runs: &[(u64, u64)]) {
    push(
        to,
        &TakenIdsLine {
            taken_contact_ids: runs,
        },
    );
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TakenIdsLine<'a> {
    taken_contact_ids: &'a [(u64, u64)],
}

/// The id that a subscriber had in a file of format 1.
pub(crate) fn former_id(to: &mut Vec<u8>, former: SubscriberId, now: SubscriberId) {
    push(
        to,
        &FormerIdLine {
            former_subscriber_id: FormerIdForm {
                former: Shown(former.value()),
                now: Shown(now.value()),
            },
        },
    );
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FormerIdLine {
    former_subscriber_id: FormerIdForm,
}

#[derive(Serialize)]
struct FormerIdForm {
    former: Shown<u64>,
    now: Shown<u64>,
}

/// A contact. Its tokens are all of connected apps.
pub(crate) fn contact(to: &mut Vec<u8>, id: ContactId, card: &CardRow) {
    let identifiers = &card.identifiers;
    push(
        to,
        &ContactLine {
            contact: ContactForm {
                contact_id: id.value(),
                external_customer_id: identifiers.external_customer_id().map(|id| id.as_str()),
                phone: identifiers.phone().map(|phone| Shown(phone.as_u64())),
                email: identifiers.email().map(|email| email.as_str()),
                first_name: card.fields.first_name.as_deref(),
                last_name: card.fields.last_name.as_deref(),
                language_code: card.fields.language_code.as_deref(),
                time_zone: card.fields.time_zone.as_deref(),
                fields: &card.fields.custom,
                created_at: card.created_at.as_millis(),
                created_through_app_number: card.created_through.map(|app| app.0),
                tokens: List::of(&card.tokens, TokenForm::from),
            },
        },
    );
}

#[derive(Serialize)]
struct ContactLine<L> {
    contact: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactForm<'a, L> {
    contact_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_customer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a BTreeMap<String, String>,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_through_app_number: Option<u64>,
    tokens: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenForm<'a> {
    subscriber_id: Shown<u64>,
    token: &'a str,
    added_at: u64,
}

impl<'a> From<&'a HeldTokenRow> for TokenForm<'a> {
    fn from(held: &'a HeldTokenRow) -> Self {
        TokenForm {
            subscriber_id: Shown(held.subscriber.value()),
            token: held.token.as_str(),
            added_at: held.added_at.as_millis(),
        }
    }
}

/// A subscriber and its holders. Its token is on their cards.
pub(crate) fn subscriber(
    to: &mut Vec<u8>,
    id: SubscriberId,
    row: &BorrowedSubscriber<'_>,
    holders: &[ContactId],
) {
    push(
        to,
        &SubscriberLine {
            subscriber: SubscriberForm {
                subscriber_id: Shown(id.value()),
                contact_ids: ContactIds(holders),
                last_registered_at: row.last_registered_at.as_millis(),
                last_status: row.last_status.map(|(status, _)| Status::as_str(status)),
                last_status_at: row.last_status.map(|(_, at)| at.as_millis()),
                muted: row.muted.map(MutedForm::from),
                counts: Counts::from(&row.counts),
            },
        },
    );
}

#[derive(Serialize)]
struct SubscriberLine<'a> {
    subscriber: SubscriberForm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriberForm<'a> {
    subscriber_id: Shown<u64>,
    contact_ids: ContactIds<'a>,
    last_registered_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<MutedForm>,
    #[serde(skip_serializing_if = "Counts::is_zero")]
    counts: Counts,
}

/// The tally of a message.
pub(crate) fn message(to: &mut Vec<u8>, key: &MessageKey, tally: &MessageRow) {
    push(
        to,
        &MessageLine {
            message: MessageForm {
                app_number: key.app.0,
                message_id: key.message.as_str(),
                last_at: tally.last_at.as_millis(),
                counts: Counts::from(&tally.counts),
            },
        },
    );
}

#[derive(Serialize)]
struct MessageLine<'a> {
    message: MessageForm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageForm<'a> {
    app_number: u64,
    message_id: &'a str,
    last_at: u64,
    #[serde(skip_serializing_if = "Counts::is_zero")]
    counts: Counts,
}

/// What is kept of a contact that was merged into another.
pub(crate) fn merge(to: &mut Vec<u8>, merged: ContactId, into: ContactId, row: &MergeRow) {
    push(
        to,
        &MergeLine {
            merge: MergeForm {
                contact_id: merged.value(),
                into: into.value(),
                merged_at: row.merged_at.as_millis(),
                order: row.order,
                created_at: row.created_at.as_millis(),
                created_through_app_number: row.created_through.map(|app| app.0),
                moved: PartsForm::given(&row.moved),
                kept: PartsForm::given(&row.kept),
                erased: Kinds::given(row.erased),
                tokens: List::of(&row.tokens, MergedTokenForm::from),
                order_before: List::of(&row.order_before, |id| Shown(id.value())),
                merged_ids: ContactIds(&row.ids),
            },
        },
    );
}

#[derive(Serialize)]
struct MergeLine<M> {
    merge: M,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MergeForm<'a, T, O> {
    contact_id: u64,
    into: u64,
    merged_at: u64,
    order: u64,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_through_app_number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<PartsForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<PartsForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<Kinds>,
    tokens: T,
    order_before: O,
    merged_ids: ContactIds<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartsForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    external_customer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a BTreeMap<String, String>,
}

impl<'a> PartsForm<'a> {
    fn given(parts: &'a Parts) -> Option<Self> {
        let Parts {
            identifiers,
            fields,
        } = parts;
        (*parts != Parts::default()).then(|| PartsForm {
            external_customer_id: identifiers.external_customer_id().map(|id| id.as_str()),
            phone: identifiers.phone().map(|phone| Shown(phone.as_u64())),
            email: identifiers.email().map(|email| email.as_str()),
            first_name: fields.first_name.as_deref(),
            last_name: fields.last_name.as_deref(),
            language_code: fields.language_code.as_deref(),
            time_zone: fields.time_zone.as_deref(),
            fields: &fields.custom,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MergedTokenForm {
    subscriber_id: Shown<u64>,
    added_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<u64>,
}

impl From<&MergedTokenRow> for MergedTokenForm {
    fn from(token: &MergedTokenRow) -> Self {
        MergedTokenForm {
            subscriber_id: Shown(token.subscriber.value()),
            added_at: token.added_at.as_millis(),
            place: token.place,
        }
    }
}

/// The last line: how many lines come before it.
pub(crate) fn end(to: &mut Vec<u8>, lines: u64) {
    push(
        to,
        &EndLine {
            end: EndForm { lines },
        },
    );
}

#[derive(Serialize)]
struct EndLine {
    end: EndForm,
}

#[derive(Serialize)]
struct EndForm {
    lines: u64,
}
