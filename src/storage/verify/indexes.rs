//! The demands on the indexes: they agree with the rows, the counts and what look-ups find.

use std::collections::{BTreeSet, HashMap};

use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;

use super::super::format::keys::{INDEX_STATE_KEY, RowKey as _};
use super::super::format::record;
use super::super::format::rows::{CardRow, SubscriberRow};
use super::super::guard::Failure;
use super::super::index::identifier_hash;
use super::super::read::{Each, Rows as _};
use super::super::tables::{Key, Table};
use super::super::unique::{
    Entry, Index, IndexHash, IndexState, Place, Unfolded, bucket, layout, read_buckets, read_log,
};
use super::demands::*;
use super::{Check, absent_if_corrupt};

impl Check {
    /// The state of the indexes, and what their log holds.
    pub(super) fn index_log(&mut self) -> Result<(), Failure> {
        if !self.committed.has_buckets() {
            return Ok(());
        }
        let state: Option<IndexState> = absent_if_corrupt(self.committed.row(&INDEX_STATE_KEY))?;
        self.demand(INDEX_STATE_IS_READABLE, INDEX_STATE_KEY, state.is_some());
        let Some(state) = state else {
            return Ok(());
        };
        let (mut pending, mut count) = (HashMap::<Place, Unfolded>::new(), 0_u64);
        let read = read_log(&self.committed, &state, |change| {
            count = count.saturating_add(1);
            pending.entry(change.place).or_default().note(&change);
        });
        match read {
            Ok(()) => {}
            Err(Failure::Corrupt(what)) => self.problem(Table::IndexLog, None, what),
            Err(failure) => return Err(failure),
        }
        self.found.index_pending = count;
        self.pending = pending;
        let are_read = state.layout == self.committed.indexes().layout;
        self.demand(BUCKETS_ARE_THOSE_OF_LOOKUPS, INDEX_STATE_KEY, are_read);
        let log = state.log_first..state.log_next;
        self.state = state;
        let decode = |_: &Key, _: &[u8]| Ok(());
        self.each(
            Table::IndexLog,
            Table::IndexLog.span(),
            decode,
            |check, key, ()| {
                let number = u64::from_key(key)?;
                check.demand(LOG_ROW_IS_IN_THE_LOG, number, log.contains(&number));
                Ok(())
            },
        )
    }

    /// Demands that an index leads from a value to the row that has it: in the file, and in memory
    /// as a reader looks it up.
    pub(super) fn leads_to(
        &mut self,
        (index, hash): (Index, IndexHash),
        id: u64,
        (is_in_index, is_found): (Demand, Demand),
    ) -> Result<(), Failure> {
        if self.committed.has_buckets() {
            let persisted = absent_if_corrupt(self.has_entry(index, hash, id).map(Some))?;
            self.demand(is_in_index, id, persisted == Some(true));
        }
        let mut found = false;
        let read = self.committed.candidates(index, hash, &mut |other| {
            found = other == id;
            Ok(!found)
        });
        absent_if_corrupt(read.map(Some))?;
        self.demand(is_found, id, found);
        Ok(())
    }

    /// Whether the persisted index has an entry.
    fn has_entry(&self, index: Index, hash: IndexHash, id: u64) -> Result<bool, Failure> {
        let (place, wanted) = (Place::of(index, hash), Entry::new(hash, id));
        if let Some(pending) = self.pending.get(&place) {
            if pending.removed.contains(&wanted) {
                return Ok(false);
            }
            if pending.added.contains(&wanted) {
                return Ok(true);
            }
        }
        let Some(key) = self.state.layout.bucket(place, wanted.short) else {
            return Ok(false);
        };
        let key = Key::Int(key);
        let ids = self.committed.read(Table::Index, &key, |bytes| {
            record::open(Table::Index, &key, bytes, |payload| {
                bucket::ids(index, wanted.short, payload)
            })
        })?;
        Ok(ids.is_some_and(|ids| ids.contains(&id)))
    }

    /// Every entry leads to a row with its value, no value is in two rows, and no entry is missing
    /// in the counts.
    pub(super) fn index_entries(&mut self) -> Result<(), Failure> {
        if !self.committed.has_buckets() {
            return Ok(());
        }
        let mut counts = [0_u64; 4];
        let mut places = self.places_with_buckets()?;
        places.extend(self.pending.keys());
        for place in places {
            let mut old = Vec::new();
            let read = read_buckets(&self.committed, &self.state.layout, place, &mut old, |_| {});
            // Damage is reported where the table itself is read.
            absent_if_corrupt(read.map(Some))?;
            let pending = self.pending.remove(&place).unwrap_or_default();
            let is_stale = |entry: &Entry| pending.removed.contains(entry);
            let stale = if pending.removed.is_empty() {
                0
            } else {
                old.iter().copied().filter(is_stale).count()
            };
            self.found.index_stale = self.found.index_stale.saturating_add(stale as u64);
            let entries = pending.fold_into(old);
            if let Some(count) = counts.get_mut(place.index().number()) {
                *count = count.saturating_add(entries.len() as u64);
            }
            for same_bits in entries.chunk_by(|a, b| a.short == b.short) {
                self.entries(place, same_bits)?;
            }
        }
        self.found.index_entries = counts.iter().copied().fold(0, u64::saturating_add);
        let are_counted = counts == self.state.entries;
        self.demand(INDEX_ENTRIES_ARE_COUNTED, INDEX_STATE_KEY, are_counted);
        Ok(())
    }

    /// The places that have a bucket: few of all places, in a small store.
    fn places_with_buckets(&self) -> Result<BTreeSet<Place>, Failure> {
        const HERE: Table = Table::Index;
        let (first, last) = HERE.span();
        let mut places = BTreeSet::new();
        let each: &mut Each<'_> = &mut |key, _| {
            let place = layout::of_key(u64::from_key(&key)?).map(|(_, place)| place);
            places.extend(place);
            Ok(true)
        };
        self.committed.walk(HERE, (&first, &last), true, each)?;
        Ok(places)
    }

    /// Entries with the same bits of their hashes.
    fn entries(&mut self, place: Place, entries: &[Entry]) -> Result<(), Failure> {
        let mut values = BTreeSet::new();
        for entry in entries {
            let value = self.value_at(place, *entry)?;
            self.demand(ENTRY_LEADS_TO_ITS_VALUE, entry.id, value.is_some());
            let is_first = value.is_none_or(|value| values.insert(value));
            self.demand(VALUE_IS_IN_ONE_ROW, entry.id, is_first);
        }
        Ok(())
    }

    /// The value in the row that an entry leads to, if its hash is that of the entry.
    fn value_at(&self, place: Place, entry: Entry) -> Result<Option<String>, Failure> {
        let hasher = self.committed.hasher();
        let index = place.index();
        let is_here = |hash: IndexHash| {
            Place::of(index, hash) == place && Entry::new(hash, entry.id) == entry
        };
        if index == Index::Tokens {
            let row: Option<SubscriberRow> = self.named(&SubscriberId::new(entry.id))?;
            let here = row.filter(|row| is_here(hasher.token(row.app.0, row.token.as_str())));
            return Ok(here.map(|row| format!("{} {}", row.app.0, row.token.as_str())));
        }
        let Ok(id) = ContactId::new(entry.id) else {
            return Ok(None);
        };
        let Some(card) = self.named::<CardRow>(&id)? else {
            return Ok(None);
        };
        let of = &card.identifiers;
        if !identifier_hash(hasher, index, of).is_some_and(is_here) {
            return Ok(None);
        }
        Ok(match index {
            Index::ExternalIds => of.external_customer_id().map(|id| id.as_str().to_owned()),
            Index::Phones => of.phone().map(|phone| phone.digits()),
            _ => of.email().map(|email| email.as_str().to_owned()),
        })
    }

    /// Every bucket is one that look-ups read, and its entries are in order and in the right bucket.
    pub(super) fn buckets(&mut self) -> Result<(), Failure> {
        const HERE: Table = Table::Index;
        let current = self.state.layout;
        let decode = |key: &Key, bytes: &[u8]| {
            let key_number = u64::from_key(key)?;
            let place = layout::of_key(key_number).map(|(_, place)| place);
            let place = place.ok_or(Failure::Corrupt("a bucket of no index"))?;
            let mut entries = Vec::new();
            record::open(HERE, key, bytes, |payload| {
                bucket::decode(place.index(), payload, &mut entries)
            })?;
            Ok((place, entries))
        };
        self.each(HERE, HERE.span(), decode, |check, key, (place, entries)| {
            let key = u64::from_key(key)?;
            let is_here = |entry: &Entry| current.bucket(place, entry.short) == Some(key);
            let are_here = entries.iter().all(is_here);
            check.demand(BUCKET_IS_WHERE_LOOKUPS_READ, key, are_here);
            check.demand(BUCKET_IS_NOT_EMPTY, key, !entries.is_empty());
            Ok(())
        })
    }
}
