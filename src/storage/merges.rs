//! Merged contacts: where their ids lead, and what is kept of them (R58).
//!
//! The three tables are written here together. This module does not know what a merge moves.

use std::collections::BTreeSet;

use crate::model::identifier::{ContactId, Identifiers};

use super::draft::Draft;
use super::format::hash::IndexHasher;
use super::format::merges::{
    MergeIdentifierKey, MergeIdentifierRow, MergeKey, MergeRow, MergedIdRow,
};
use super::format::record;
use super::guard::Failure;
use super::index::{IDENTIFIERS, identifier_hash, index_of};
use super::read::Rows;
use super::tables::Table;

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

/// The keys that lead from the identifiers in the row of a merged contact to it.
///
/// A set, since two identifiers may have the same hash.
pub(super) fn identifier_keys(
    hasher: IndexHasher,
    merged: ContactId,
    row: &MergeRow,
) -> BTreeSet<MergeIdentifierKey> {
    let parts = [&row.moved, &row.kept].into_iter();
    let hashes = parts.flat_map(|parts| {
        let of = move |index| identifier_hash(hasher, index, &parts.identifiers);
        IDENTIFIERS.into_iter().filter_map(of)
    });
    hashes
        .map(|hash| MergeIdentifierKey::new(hash, merged))
        .collect()
}

impl Draft<'_> {
    /// Writes what is kept of a merged contact and with which contact, to which its id leads.
    ///
    /// Without `before` it was not merged yet, and without `after` it is no longer.
    pub(crate) fn write_merge(
        &mut self,
        merged: ContactId,
        before: Option<(ContactId, &MergeRow)>,
        after: Option<(ContactId, &MergeRow)>,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        let [was, now] = [before, after].map(|it| it.map(|(holder, _)| holder));
        if now != was {
            if let Some(holder) = was {
                self.put::<MergeRow>(&MergeKey { holder, merged }, None)?;
            }
            let row = now.map(|into| MergedIdRow { into });
            self.put(&merged, row.as_ref())?;
        }
        if let Some((holder, row)) = after {
            self.put(&MergeKey { holder, merged }, Some(row))?;
        }
        let hasher = self.hasher();
        let keys = |it: Option<(ContactId, &MergeRow)>| {
            it.map_or_else(BTreeSet::new, |(_, row)| {
                identifier_keys(hasher, merged, row)
            })
        };
        let (old, new) = (keys(before), keys(after));
        for key in old.difference(&new) {
            self.put::<MergeIdentifierRow>(key, None)?;
        }
        for key in new.difference(&old) {
            self.put(key, Some(&MergeIdentifierRow))?;
        }
        Ok(())
    }

    /// Takes erased identifiers out of what is kept of every merged contact that had them (R44).
    ///
    /// Its cost depends on how many those are, not on how many contacts were merged.
    pub(crate) fn erase_from_merges(&mut self, erased: &Identifiers) -> Result<(), Failure> {
        for kind in erased.kinds().iter() {
            let index = index_of(kind);
            let hash = index.and_then(|index| identifier_hash(self.hasher(), index, erased));
            let Some(hash) = hash else { continue };
            let (first, last) = MergeIdentifierKey::span_of(hash);
            let mut had_such = Vec::new();
            let table = Table::MergeIdentifiers;
            self.walk(table, (&first, &last), true, &mut |key, bytes| {
                let (key, _) = record::decode_row::<MergeIdentifierRow>(&key, bytes)?;
                had_such.push(key.merged()?);
                Ok(true)
            })?;
            self.foresee::<MergedIdRow>(had_such.iter());
            let mut keys = Vec::with_capacity(had_such.len());
            for merged in had_such {
                let MergedIdRow { into: holder } = self.expect_row(&merged)?;
                keys.push(MergeKey { holder, merged });
            }
            self.foresee::<MergeRow>(keys.iter());
            for key in keys {
                let MergeKey {
                    holder: into,
                    merged,
                } = key;
                let before: MergeRow = self.expect_row(&key)?;
                let mut after = before.clone();
                for parts in [&mut after.moved, &mut after.kept] {
                    // Another identifier may have the same hash.
                    if parts.identifiers.share(kind, erased) {
                        parts.identifiers.remove(kind);
                        after.erased.insert(kind);
                    }
                }
                self.write_merge(merged, Some((into, &before)), Some((into, &after)))?;
            }
        }
        Ok(())
    }
}
