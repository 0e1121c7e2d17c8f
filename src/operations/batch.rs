//! Batches: entries are decided in order, and each sees the ones before it (R23).
//!
//! This module does not know what an entry is.

use crate::error::{EntryError, Error};
use crate::operations::not_accepted::NotAccepted;
use crate::operations::outcomes::Outcomes;
use crate::rules::BatchMode;
use crate::storage::Draft;

/// Decides the entries of a batch in order. Each sees the ones before it (R23).
pub(crate) fn decide_batch<E, T>(
    draft: &mut Draft<'_>,
    mode: BatchMode,
    entries: Vec<Result<E, EntryError>>,
    mut decide: impl FnMut(&mut Draft<'_>, E) -> Result<T, NotAccepted>,
) -> Result<Outcomes<T>, Error> {
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut without_rows = None;
    for (index, entry) in entries.into_iter().enumerate() {
        let mark = draft.mark();
        let accepted = match entry {
            Ok(entry) => decide(draft, entry),
            Err(refused) => Err(refused.into()),
        };
        let outcome = match accepted {
            Ok(outcome) => Ok(outcome),
            Err(NotAccepted::Refused(error)) => Err(error),
            Err(NotAccepted::Failed(failure)) if draft.lacks_rows() => {
                // Not decided yet. What all entries lack is read together.
                draft.roll_back_to(mark);
                without_rows.get_or_insert(failure);
                continue;
            }
            Err(NotAccepted::Failed(failure)) => return Err(failure.into()),
        };
        if let Err(error) = &outcome {
            draft.roll_back_to(mark);
            if mode == BatchMode::AllOrNothing && !draft.lacks_rows() {
                return Err(Error::EntryRefused {
                    index,
                    error: error.clone(),
                });
            }
        }
        outcomes.push(outcome);
    }
    match without_rows {
        Some(failure) => Err(failure.into()),
        None => Ok(Outcomes::new(outcomes)),
    }
}
