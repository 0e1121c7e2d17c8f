//! Which contact ids are taken, and which one is assigned next (R18, R19).
//!
//! Every id below the counter is taken: it was assigned, or adopted and passed over. Adopted ids at
//! or above the counter are kept as runs, each as long as it can be, so passing over any number of
//! them is one look-up. A taken id without a contact is that of an erased
//! contact, or of one that was merged into another (R58).

use crate::model::identifier::ContactId;

use super::draft::Draft;
use super::format::keys::RowKey;
use super::format::rows::TakenRow;
use super::guard::Failure;
use super::read::Rows;

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
    // No run begins below the counter, so one that holds it begins there: a plain look-up.
    let run: Option<TakenRow> = rows.row(&counter)?;
    let next = run.map_or(counter, |run| run.last.saturating_add(1));
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

    /// Takes an id for a contact: one that is taken already and of no contact, or one to adopt.
    pub(crate) fn take_back_contact_id(&mut self, id: ContactId) -> Result<(), Failure> {
        if !self.state.passed(id) && run_with(self, id.value())?.is_none() {
            return self.adopt_contact_id(id);
        }
        const NEVER_ERASED: Failure =
            Failure::Corrupt("a taken id of no contact that is not counted");
        self.state.erased = self.state.erased.checked_sub(1).ok_or(NEVER_ERASED)?;
        Ok(())
    }
}

/// Contact ids as an import brings them: all that are taken come first, as those of erased contacts,
/// and each contact then takes its own back.
#[cfg(feature = "transfer")]
impl Draft<'_> {
    /// Puts the counter of a store that never had a contact. All ids below are taken.
    pub(crate) fn start_contact_ids(&mut self, next_contact: u64) {
        self.state.next_contact = next_contact;
        self.state.erased = next_contact.saturating_sub(1);
    }

    /// Takes a run of ids at or above the counter. `None` when it meets or touches another one, and
    /// whether it is new otherwise.
    pub(crate) fn take_contact_ids(
        &mut self,
        first: u64,
        last: u64,
    ) -> Result<Option<bool>, Failure> {
        let up_to = last.saturating_add(1).to_key();
        match self.last_row::<TakenRow>(&0_u64.to_key(), &up_to)? {
            Some((run, row)) if (run, row.last) == (first, last) => return Ok(Some(false)),
            Some((_, row)) if row.last.saturating_add(1) >= first => return Ok(None),
            _ => {}
        }
        self.put(&first, Some(&TakenRow { last }))?;
        let taken = last.saturating_sub(first).saturating_add(1);
        self.state.erased = self.state.erased.saturating_add(taken);
        Ok(Some(true))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::engines::Engine;
    use super::super::file::disk::MemoryDisk;
    use super::super::format::meta::OLDEST_FORMAT;
    use super::super::open::{Location, OpenAs};
    use super::*;
    use crate::error::OpenError;
    use crate::model::time::Timestamp;

    const LAST: u64 = ContactId::MAX;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn engine() -> Result<(Engine, super::super::Committed), OpenError> {
        let open_as = OpenAs {
            may_create: true,
            must_create: false,
            check_clean: true,
            cache_bytes: 1 << 20,
            index_memory: 1 << 20,
            card_memory: 0,
            upgrade: false,
            change_feed: None,
            keep_answers: None,
            read_only: false,
            progress: None,
            folding: crate::storage::Folding::default(),
            now: Timestamp::default(),
            hash_mask: u64::MAX,
            random: None,
            format: OLDEST_FORMAT,
        };
        Engine::open(&Location::Disk(Arc::new(MemoryDisk::default())), open_as)
    }

    fn adopt(draft: &mut Draft<'_>, ids: impl IntoIterator<Item = u64>) -> Tested {
        for id in ids {
            let adopted = draft.adopt_contact_id(ContactId::new(id)?);
            adopted.map_err(crate::error::StorageError::from)?;
        }
        Ok(())
    }

    /// The next ids that are assigned.
    fn assigned<const N: usize>(draft: &mut Draft<'_>) -> [Option<u64>; N] {
        std::array::from_fn(|_| {
            let id = draft.assign_contact_id().ok().flatten();
            id.map(ContactId::value)
        })
    }

    /// The runs: first and last id of each.
    fn runs(draft: &Draft<'_>) -> Vec<(u64, u64)> {
        let all = draft.rows::<TakenRow>(&0_u64.to_key(), &u64::MAX.to_key(), usize::MAX);
        let rows = all.unwrap_or_default().into_iter();
        rows.map(|(first, row)| (first, row.last)).collect()
    }

    #[test]
    fn r19_adopted_ids_are_runs_as_long_as_can_be() -> Tested {
        let (_engine, committed) = engine()?;
        let mut draft = Draft::new(&committed, 1);
        adopt(&mut draft, [5, 9, 7])?;
        assert_eq!(runs(&draft), [(5, 5), (7, 7), (9, 9)]);
        adopt(&mut draft, [8])?;
        assert_eq!(runs(&draft), [(5, 5), (7, 9)]);
        adopt(&mut draft, [6, 4, 10])?;
        assert_eq!(runs(&draft), [(4, 10)]);
        // The counter passes a run with the first id after it.
        assert_eq!(assigned(&mut draft), [Some(1), Some(2), Some(3)]);
        assert_eq!(runs(&draft), [(4, 10)]);
        assert_eq!(assigned(&mut draft), [Some(11), Some(12)]);
        assert_eq!(runs(&draft), []);
        Ok(())
    }

    #[test]
    fn r19_the_last_id_is_assigned_and_then_none() -> Tested {
        let (_engine, committed) = engine()?;
        let mut draft = Draft::new(&committed, 1);
        draft.state.next_contact = LAST.saturating_sub(2);
        adopt(&mut draft, [LAST.saturating_sub(1)])?;
        let expected = [Some(LAST.saturating_sub(2)), Some(LAST), None, None];
        assert_eq!(assigned(&mut draft), expected);
        Ok(())
    }

    #[test]
    fn r19_a_run_to_the_last_id_leaves_none_to_assign() -> Tested {
        let (_engine, committed) = engine()?;
        let mut draft = Draft::new(&committed, 1);
        draft.state.next_contact = LAST.saturating_sub(1);
        adopt(&mut draft, [LAST, LAST.saturating_sub(1)])?;
        let before = draft.state;
        assert_eq!(assigned(&mut draft), [None, None]);
        assert!(draft.state == before, "nothing moves");
        // What is below the counter can no more be adopted than what is in a run: both are taken.
        for id in [1, LAST.saturating_sub(2), LAST] {
            let taken = super::super::was_contact_id_taken(&draft, ContactId::new(id)?);
            assert!(matches!(taken, Ok(true)), "{id}");
        }
        Ok(())
    }
}
