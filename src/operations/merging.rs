//! What merging, unmerging and splitting contacts have in common: which contact is meant, and which
//! tokens count.
//!
//! This module does not know which of the three it is.

use crate::error::{Error, MergeError};
use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;
use crate::storage::{
    AppPhase, Draft, Failure, FoundCard, Rows, SubscriberRow, contact_with_id, was_contact_id_taken,
};

/// The contact with this id, or the one that it was merged into.
pub(crate) fn contact(rows: &impl Rows, id: ContactId) -> Result<FoundCard, Error> {
    match contact_with_id(rows, id)? {
        Some(found) => Ok(found),
        None => Err(unknown(rows, id)?.into()),
    }
}

/// Why there is no contact with an id that leads to none.
pub(crate) fn unknown(rows: &impl Rows, id: ContactId) -> Result<MergeError, Failure> {
    Ok(if was_contact_id_taken(rows, id)? {
        MergeError::ErasedContact(id)
    } else {
        MergeError::UnknownContact(id)
    })
}

/// Whether the tokens of an app count. Those of one that was disconnected wait to be removed, and are
/// on no card (R11).
pub(crate) fn is_connected(rows: &impl Rows, app: AppNumber) -> Result<bool, Failure> {
    Ok(rows.tally(app)?.phase == AppPhase::Connected)
}

/// Puts one contact in the place of another among the holders of a subscriber.
pub(crate) fn change_holder(
    draft: &mut Draft<'_>,
    id: SubscriberId,
    from: ContactId,
    to: ContactId,
) -> Result<(), Failure> {
    let before: SubscriberRow = draft.expect_row(&id)?;
    let mut after = before.clone();
    for holder in after.holders.iter_mut().filter(|holder| **holder == from) {
        *holder = to;
    }
    draft.write_subscriber(id, Some(&before), Some(&after))
}
