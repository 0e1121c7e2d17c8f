//! The list of conflicts (R61): pairs of contacts that requests named as one.
//!
//! A pair and its mirror are written here together, so that all pairs of a contact are found. This
//! module does not know which requests leave a conflict, or what ends one.

use crate::model::conflict::Conflict;
use crate::model::identifier::ContactId;

use super::draft::Draft;
use super::format::conflicts::{ConflictKey, ConflictRow};
use super::guard::Failure;
use super::read::Rows;

const NOT_A_PAIR: Failure = Failure::Corrupt("a pair without its record");

/// At most `most` conflicts after a pair, in the order of pairs.
pub(crate) fn conflicts_after(
    rows: &impl Rows,
    after: Option<(ContactId, ContactId)>,
    most: usize,
) -> Result<Vec<Conflict>, Failure> {
    let (first, last) = ConflictKey::pairs_after(after);
    let found = rows.rows_as(&first, &last, most, |_: ConflictKey, row| row)?;
    found.into_iter().map(pair).collect()
}

fn pair(row: ConflictRow) -> Result<Conflict, Failure> {
    match row {
        ConflictRow::Pair(conflict) => Ok(conflict),
        ConflictRow::Mirror => Err(NOT_A_PAIR),
    }
}

impl Draft<'_> {
    /// Lists a conflict, or counts one that is listed again. A new one is not kept when there are
    /// `most`.
    pub(crate) fn note_conflict(&mut self, seen: &Conflict, most: u64) -> Result<(), Failure> {
        let (one, other) = seen.pair();
        let Some(key) = ConflictKey::of(one, other) else {
            return Ok(());
        };
        let listed: Option<ConflictRow> = match self.state.conflicts {
            0 => None,
            _ => self.row(&key)?,
        };
        match listed {
            Some(row) => {
                let joined = pair(row)?.joined(seen);
                self.put(&key, Some(&ConflictRow::Pair(joined)))
            }
            None if self.state.conflicts >= most => {
                self.conflicts_not_kept = self.conflicts_not_kept.saturating_add(1);
                Ok(())
            }
            None => self.list_conflict(key, seen),
        }
    }

    /// Takes the conflict of two contacts off the list. Returns whether it was there.
    pub(crate) fn end_conflict(
        &mut self,
        one: ContactId,
        other: ContactId,
    ) -> Result<bool, Failure> {
        if self.state.conflicts == 0 {
            return Ok(false);
        }
        let Some(key) = ConflictKey::of(one, other) else {
            return Ok(false);
        };
        let listed = self.row::<ConflictRow>(&key)?.is_some();
        if listed {
            self.take_off(key)?;
        }
        Ok(listed)
    }

    /// Takes all conflicts of a contact off the list.
    pub(crate) fn forget_conflicts_of(&mut self, contact: ContactId) -> Result<(), Failure> {
        for conflict in self.conflicts_of(contact)? {
            let (one, other) = conflict.pair();
            self.end_conflict(one, other)?;
        }
        Ok(())
    }

    /// Moves the conflicts of a contact to the one that it is merged into. The one between the two
    /// ends.
    pub(crate) fn move_conflicts(
        &mut self,
        from: ContactId,
        into: ContactId,
    ) -> Result<(), Failure> {
        for conflict in self.conflicts_of(from)? {
            let (one, other) = conflict.pair();
            self.end_conflict(one, other)?;
            if let Some(moved) = conflict.moved(from, into) {
                // Its place on the list is free now, whatever the bound is.
                self.note_conflict(&moved, u64::MAX)?;
            }
        }
        Ok(())
    }

    fn conflicts_of(&self, contact: ContactId) -> Result<Vec<Conflict>, Failure> {
        if self.state.conflicts == 0 {
            return Ok(Vec::new());
        }
        let (first, last) = ConflictKey::mirrors_of(contact);
        let mut keys: Vec<ConflictKey> = self.rows_as(
            &first,
            &last,
            usize::MAX,
            |key: ConflictKey, _: ConflictRow| key.mirror(),
        )?;
        let (first, last) = ConflictKey::pairs_of(contact);
        keys.extend(self.rows_as(&first, &last, usize::MAX, |key, _: ConflictRow| key)?);
        self.foresee::<ConflictRow>(keys.iter());
        keys.into_iter()
            .map(|key| pair(self.expect_row(&key)?))
            .collect()
    }

    fn list_conflict(&mut self, key: ConflictKey, conflict: &Conflict) -> Result<(), Failure> {
        self.put(&key, Some(&ConflictRow::Pair(*conflict)))?;
        self.put(&key.mirror(), Some(&ConflictRow::Mirror))?;
        self.state.conflicts = self.state.conflicts.saturating_add(1);
        Ok(())
    }

    fn take_off(&mut self, key: ConflictKey) -> Result<(), Failure> {
        self.put::<ConflictRow>(&key, None)?;
        self.put::<ConflictRow>(&key.mirror(), None)?;
        self.state.conflicts = self.state.conflicts.saturating_sub(1);
        Ok(())
    }
}
