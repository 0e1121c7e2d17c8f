//! Going through all rows of a table, for exports (R70).
//!
//! Each visitor takes rows in the order of their keys until it answers `false`. This module does not
//! know what an export looks like.

use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;
use crate::model::report::MessageId;
use crate::model::subscriber::SubscriberId;

use super::format::keys::{MessageKey, RowKey as _};
use super::format::merges::{MergeKey, MergeRow};
use super::format::record::{self, Row};
use super::format::rows::{AppTallyRow, CardRow, FormerIdRow, MessageRow, TakenRow};
use super::guard::Failure;
use super::merges::merges_of;
use super::read::Rows;
use super::tables::Key;

/// The counts of all connections of apps that ever were.
pub(crate) fn app_tallies(rows: &impl Rows) -> Result<Vec<(AppNumber, AppTallyRow)>, Failure> {
    let (first, last) = (AppNumber(0).to_key(), Key::Int(u64::MAX));
    rows.rows(&first, &last, usize::MAX)
}

/// At most `most` runs of taken contact ids at or above the counter, after the run that begins at
/// `after`: the first and last id of each.
pub(crate) fn taken_ids_after(
    rows: &impl Rows,
    after: Option<u64>,
    most: usize,
) -> Result<Vec<(u64, u64)>, Failure> {
    let first = after.map_or(0, |after| after.saturating_add(1));
    let last = Key::Int(u64::MAX);
    rows.rows_as(&first.to_key(), &last, most, |first, run: TakenRow| {
        (first, run.last)
    })
}

/// At most `most` subscriber ids of format 1 after this one, each with the present id.
pub(crate) fn former_ids_after(
    rows: &impl Rows,
    after: Option<SubscriberId>,
    most: usize,
) -> Result<Vec<(SubscriberId, SubscriberId)>, Failure> {
    let first = after.map_or(0, |after| after.value().saturating_add(1));
    let last = Key::Int(u64::MAX);
    rows.rows_as(&first.to_key(), &last, most, |former, row: FormerIdRow| {
        (former, row.now)
    })
}

/// Hands the cards after this contact to `visit`.
pub(crate) fn visit_cards_after(
    rows: &impl Rows,
    after: Option<ContactId>,
    visit: impl FnMut(ContactId, CardRow) -> bool,
) -> Result<(), Failure> {
    let first = after.map_or(0, ContactId::value).saturating_add(1);
    visit_rows(rows, (&Key::Int(first), &Key::Int(u64::MAX)), visit)
}

/// The next contact after this one that others were merged into, with those: each in the order of
/// merging.
pub(crate) fn merges_after(
    rows: &impl Rows,
    after: Option<ContactId>,
) -> Result<Option<(ContactId, Merges)>, Failure> {
    let first = match after {
        None => Key::Wide(0),
        // The key after all of that contact.
        Some(after) => Key::Wide(u128::from(after.value()).saturating_add(1) << 64),
    };
    let mut next = None;
    rows.walk(
        MergeRow::TABLE,
        (&first, &Key::Wide(u128::MAX)),
        true,
        &mut |key, _| {
            next = Some(MergeKey::from_key(&key)?.holder);
            Ok(false)
        },
    )?;
    let Some(holder) = next else { return Ok(None) };
    let mut merges = merges_of(rows, holder)?;
    merges.sort_by_key(|(_, row)| row.order);
    Ok(Some((holder, merges)))
}

/// The contacts merged into one, and what is kept of each.
pub(crate) type Merges = Vec<(ContactId, MergeRow)>;

/// Hands the tallies of the messages of an app after this one to `visit`.
pub(crate) fn visit_messages_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<&MessageId>,
    visit: impl FnMut(MessageKey, MessageRow) -> bool,
) -> Result<(), Failure> {
    let first = match after {
        None => MessageKey::first_of(app),
        Some(after) => MessageKey::right_after(app, after),
    };
    visit_rows(rows, (&first, &MessageKey::after_all_of(app)), visit)
}

fn visit_rows<R: Row>(
    rows: &impl Rows,
    (first, last): (&Key, &Key),
    mut visit: impl FnMut(R::Key, R) -> bool,
) -> Result<(), Failure> {
    rows.walk(R::TABLE, (first, last), true, &mut |key, bytes| {
        let (key, row) = record::decode_row::<R>(&key, bytes)?;
        Ok(visit(key, row))
    })
}
