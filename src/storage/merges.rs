//! Merged contacts: where their ids lead, and what is kept of them (R58).
//!
//! The two tables are written here together. This module does not know what a merge moves.

use crate::model::identifier::ContactId;

use super::draft::Draft;
use super::format::merges::{MergeKey, MergeRow, MergedIdRow};
use super::guard::Failure;
use super::read::Rows;

/// The contact that a merged id leads to. `None` for every other id.
pub(crate) fn merged_into(rows: &impl Rows, id: ContactId) -> Result<Option<ContactId>, Failure> {
    // A merged id is among those of contacts that are gone.
    if rows.state().erased == 0 {
        return Ok(None);
    }
    let row: Option<MergedIdRow> = rows.row(&id)?;
    Ok(row.map(|row| row.into))
}

/// What was merged into a contact, in the order of ids.
pub(crate) fn merges_of(
    rows: &impl Rows,
    holder: ContactId,
) -> Result<Vec<(ContactId, MergeRow)>, Failure> {
    let (first, last) = MergeKey::span_of(holder);
    rows.rows_as(&first, &last, usize::MAX, |key: MergeKey, row| {
        (key.merged, row)
    })
}

impl Draft<'_> {
    /// Writes what is kept of a merged contact, and where its id leads. `before` is the contact that it
    /// led to, if it was merged; without `after` it is no longer.
    pub(crate) fn write_merge(
        &mut self,
        merged: ContactId,
        before: Option<ContactId>,
        after: Option<(ContactId, &MergeRow)>,
    ) -> Result<(), Failure> {
        let now = after.map(|(holder, _)| holder);
        if let Some(holder) = before
            && now != before
        {
            self.put::<MergeRow>(&MergeKey { holder, merged }, None)?;
        }
        if let Some((holder, row)) = after {
            self.put(&MergeKey { holder, merged }, Some(row))?;
        }
        if now != before {
            let row = now.map(|into| MergedIdRow { into });
            self.put(&merged, row.as_ref())?;
        }
        Ok(())
    }
}
