//! Which contact ids are taken, and which one is assigned next (R18, R19).
//!
//! Every id below the counter is taken: it was assigned, or adopted and passed over. Adopted ids at
//! or above the counter are kept as runs, each as long as it can be, so passing over any number of
//! them is one look-up. A taken id without a contact is that of an erased contact.

use crate::identifier::ContactId;

use super::draft::Draft;
use super::guard::Failure;
use super::rows::{RowKey, Rows, TakenRow};

/// The run that `id` is in, if it is in one: its first and last id.
pub(crate) fn run_with(rows: &impl Rows, id: u64) -> Result<Option<(u64, u64)>, Failure> {
    let below: Option<(u64, TakenRow)> = rows.last_row(&0_u64.to_key(), &id.to_key())?;
    Ok(below
        .map(|(first, row)| (first, row.last))
        .filter(|(_, last)| *last >= id))
}

/// The id that would be assigned next when the counter stands at `counter`; `None` when there is
/// none left.
pub(crate) fn next_id(rows: &impl Rows, counter: u64) -> Result<Option<u64>, Failure> {
    let run = run_with(rows, counter)?;
    let next = run.map_or(counter, |(_, last)| last.saturating_add(1));
    Ok((next <= ContactId::MAX).then_some(next))
}

impl Draft<'_> {
    /// Takes the next id from the counter. `None` when there is none left.
    pub(crate) fn assign_contact_id(&mut self) -> Result<Option<ContactId>, Failure> {
        let counter = self.state.next_contact;
        let Some(next) = next_id(self, counter)? else {
            return Ok(None);
        };
        if next != counter {
            // The counter passes the run that begins at it. Its ids are then known to be taken by
            // being below the counter.
            self.put::<TakenRow>(&counter, None)?;
        }
        self.state.next_contact = next.saturating_add(1);
        ContactId::new(next)
            .map(Some)
            .map_err(|_| Failure::Corrupt("the counter of contact ids is at 0"))
    }

    /// Takes an id that a request brought, which must not be taken yet. The counter stays.
    pub(crate) fn adopt_contact_id(&mut self, id: ContactId) -> Result<(), Failure> {
        let id = id.value();
        let (mut first, mut last) = (id, id);
        if let Some(below) = id.checked_sub(1)
            && let Some((run, _)) = run_with(self, below)?
        {
            first = run;
        }
        if let Some(above) = id.checked_add(1)
            && let Some(run) = self.row::<TakenRow>(&above)?
        {
            last = run.last;
            self.put::<TakenRow>(&above, None)?;
        }
        self.put(&first, Some(&TakenRow { last }))
    }
}
