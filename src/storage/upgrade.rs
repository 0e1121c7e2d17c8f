//! From format 1 to format 2, in one commit: a file is of one format or of the other, whatever cuts
//! the upgrade off.
//!
//! The tables of format 1 are renamed, their rows written anew, and then they are deleted, all in
//! one write transaction. Contact ids, sequence number and times stay; a subscriber gets an id that
//! carries its app, and the one it had leads to it. This module does not know when a file is
//! upgraded.

use std::collections::BTreeMap;

use redb::{Database, WriteTransaction};

use crate::model::app::{AppId, AppNumber};
use crate::model::subscriber::SubscriberId;

use super::batch::Batch;
use super::format::format_1::{self, Table1};
use super::format::hash::IndexHasher;
use super::format::keys::{self, RowKey as _};
use super::format::meta::{self, FormatRow, State};
use super::format::record::{self, Row};
use super::format::rows::{
    AppPhase, AppTallyRow, CardRow, FormerIdRow, HeldTokenRow, SubscriberRow,
};
use super::guard::Failure;
use super::index::{IDENTIFIERS, identifier_hash};
use super::tables::{
    Key, Table, Width, Write, create_all, delete, read_chunk, read_one, rename, rows_in, write,
};
use super::unique::{Entry, Index, IndexHash, IndexState, Place, bucket, layout::Layout};

/// Rows that are read and written together.
const CHUNK: usize = 4_096;
/// The most entries of an index that are sorted in memory at a time.
const ENTRIES: u64 = 8 << 20;
/// About as many entries are in a bucket.
const BUCKET_ENTRIES: u64 = 112;

/// Upgrades a checked file. `format` is what it says of itself; `progress` is told how many of how
/// many rows are done.
pub(super) fn upgrade(
    database: &Database,
    format: &FormatRow,
    hasher: IndexHasher,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        for table in Table1::ALL {
            let (name, renamed) = table.names();
            rename(&transaction, width(table), name, renamed)?;
        }
        create_all(&transaction)?;
        let mut upgrade = Upgrade::new(&transaction, hasher)?;
        upgrade.subscribers(&mut progress)?;
        upgrade.contacts(&mut progress)?;
        upgrade.others()?;
        upgrade.indexes()?;
        upgrade.meta(format)?;
        for table in Table1::ALL {
            delete(&transaction, width(table), table.names().1)?;
        }
    }
    Ok(transaction.commit()?)
}

fn width(table: Table1) -> Width {
    match table {
        Table1::Apps | Table1::AppSubscribers => Width::Wide,
        Table1::Messages => Width::Bytes,
        _ => Width::Int,
    }
}

struct Upgrade<'t> {
    transaction: &'t WriteTransaction,
    hasher: IndexHasher,
    state: State,
    tallies: BTreeMap<AppNumber, AppTallyRow>,
    /// A number of each app that there is or was.
    numbers: BTreeMap<AppId, AppNumber>,
    entries: [u64; 4],
    layout: Layout,
    done: u64,
    in_all: u64,
}

impl<'t> Upgrade<'t> {
    fn new(transaction: &'t WriteTransaction, hasher: IndexHasher) -> Result<Self, Failure> {
        let key = Key::Int(keys::STATE_KEY);
        let state = read_one(transaction, Table1::Meta.names().1, &key, |bytes| {
            Table1::Meta.open(&key, bytes, format_1::state)
        })?;
        let mut in_all = 0_u64;
        for table in [Table1::Contacts, Table1::Subscribers] {
            in_all = in_all.saturating_add(rows_in(transaction, table.names().1)?);
        }
        let mut upgrade = Upgrade {
            transaction,
            hasher,
            state: state.ok_or(Failure::Corrupt("the row of counters is missing"))?,
            tallies: BTreeMap::new(),
            numbers: BTreeMap::new(),
            entries: [0; 4],
            layout: Layout::default(),
            done: 0,
            in_all,
        };
        let decode = |key: &Key, bytes: &[u8]| {
            let number = AppNumber(u64::from_key(key)?);
            let tally = Table1::AppTallies.open(key, bytes, format_1::tally)?;
            Ok((number, tally))
        };
        upgrade.each_chunk(Table1::AppTallies, decode, |upgrade, chunk| {
            for (number, tally) in chunk {
                upgrade.numbers.insert(tally.app, number);
                upgrade.tallies.insert(number, tally);
            }
            Ok(())
        })?;
        Ok(upgrade)
    }

    /// Hands the rows of a table of format 1 to `each`, a chunk at a time.
    fn each_chunk<T>(
        &mut self,
        table: Table1,
        decode: impl Fn(&Key, &[u8]) -> Result<T, Failure>,
        mut each: impl FnMut(&mut Self, Vec<T>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let name = table.names().1;
        let mut after = None;
        loop {
            let chunk = read_chunk(self.transaction, name, width(table), after.as_ref(), CHUNK)?;
            let Some((last, _)) = chunk.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let rows = chunk.iter().map(|(key, bytes)| decode(key, bytes));
            each(self, rows.collect::<Result<_, _>>()?)?;
        }
    }

    fn subscribers(&mut self, progress: &mut impl FnMut(u64, u64)) -> Result<(), Failure> {
        let decode = |key: &Key, bytes: &[u8]| {
            let row = Table1::Subscribers.open(key, bytes, format_1::subscriber)?;
            Ok((SubscriberId::from_key(key)?, row))
        };
        self.each_chunk(Table1::Subscribers, decode, |upgrade, chunk| {
            let (mut rows, mut former) = (Batch::default(), Batch::default());
            upgrade.count(chunk.len(), progress);
            for (id, row) in chunk {
                const NO_TALLY: Failure = Failure::Corrupt("a subscriber of an app without counts");
                let tally = upgrade.tallies.get_mut(&row.app).ok_or(NO_TALLY)?;
                tally.subscriber_ids = tally.subscriber_ids.saturating_add(1);
                let now = SubscriberId::of(row.app, tally.subscriber_ids);
                rows.add(&now, &row)?;
                former.add(&id, &FormerIdRow { now })?;
            }
            rows.write(upgrade.transaction, Table::Subscribers)?;
            former.write(upgrade.transaction, Table::FormerIds)
        })
    }

    fn contacts(&mut self, progress: &mut impl FnMut(u64, u64)) -> Result<(), Failure> {
        let decode = |key: &Key, bytes: &[u8]| {
            Ok((
                key.clone(),
                Table1::Contacts.open(key, bytes, format_1::card)?,
            ))
        };
        self.each_chunk(Table1::Contacts, decode, |upgrade, chunk| {
            let mut rows = Batch::default();
            upgrade.count(chunk.len(), progress);
            for (key, card) in chunk {
                let tokens = card
                    .tokens
                    .into_iter()
                    .map(|(subscriber, added_at, token)| {
                        Ok(HeldTokenRow {
                            subscriber: upgrade.present_id(subscriber)?,
                            added_at,
                            token,
                        })
                    });
                let row = CardRow {
                    created_at: card.created_at,
                    tokens: tokens.collect::<Result<_, Failure>>()?,
                    created_through: card.created_through.map(|app| upgrade.number_of(app)),
                    identifiers: card.identifiers,
                    fields: card.fields,
                    last_change: None,
                };
                rows.add(&crate::model::identifier::ContactId::from_key(&key)?, &row)?;
            }
            rows.write(upgrade.transaction, Table::Contacts)
        })
    }

    fn count(&mut self, rows: usize, progress: &mut impl FnMut(u64, u64)) {
        self.done = self.done.saturating_add(rows as u64);
        progress(self.done, self.in_all);
    }

    fn present_id(&self, former: u64) -> Result<SubscriberId, Failure> {
        let id = SubscriberId::new(former);
        let key = id.to_key();
        let name = Table::FormerIds.name();
        let row = read_one(self.transaction, name, &key, |bytes| {
            record::open(Table::FormerIds, &key, bytes, |payload| {
                FormerIdRow::decode(&id, payload)
            })
        })?;
        const MISSING: Failure = Failure::Corrupt("a card with a token of no subscriber");
        row.map(|row| row.now).ok_or(MISSING)
    }

    /// The number of an app. One of which nothing else is left gets a number now.
    fn number_of(&mut self, app: AppId) -> AppNumber {
        let (state, tallies) = (&mut self.state, &mut self.tallies);
        *self.numbers.entry(app).or_insert_with(|| {
            let number = state.take_app();
            let gone = AppTallyRow {
                app,
                phase: AppPhase::Gone,
                subscriber_ids: 0,
                subscribers: 0,
                contacts: 0,
                removed_by_failed: 0,
                removed_by_host: 0,
            };
            tallies.insert(number, gone);
            number
        })
    }

    /// Tables whose rows are today's, under another checksum.
    fn others(&mut self) -> Result<(), Failure> {
        for (from, to) in [
            (Table1::TakenIds, Table::TakenIds),
            (Table1::Apps, Table::Apps),
            (Table1::Messages, Table::Messages),
        ] {
            let decode = |key: &Key, bytes: &[u8]| {
                Ok((
                    key.clone(),
                    from.open(key, bytes, |payload| Ok(payload.to_vec()))?,
                ))
            };
            self.each_chunk(from, decode, |upgrade, chunk| {
                let mut rows = Batch::default();
                for (key, payload) in chunk {
                    rows.add_payload(to, key, &payload)?;
                }
                rows.write(upgrade.transaction, to)
            })?;
        }
        Ok(())
    }

    /// Makes the buckets, of a part of the places after the other.
    fn indexes(&mut self) -> Result<(), Failure> {
        let subscribers = rows_in(self.transaction, Table::Subscribers.name())?;
        self.entries = self.count_entries(subscribers)?;
        self.layout = Layout::default().next_round(self.entries, BUCKET_ENTRIES);
        for index in Index::ALL {
            let count = self
                .entries
                .get(index.number())
                .copied()
                .unwrap_or_default();
            let passes = count.div_ceil(ENTRIES).max(1);
            for pass in 0..passes {
                let mut entries = Vec::new();
                self.each_hash(index, |hash, id| {
                    let place = Place::of(index, hash);
                    if in_pass(place, pass, passes) {
                        entries.push((place, Entry::new(hash, id)));
                    }
                })?;
                entries.sort_unstable();
                self.write_buckets(&entries)?;
            }
        }
        while self.layout.is_folding() {
            self.layout = self.layout.folded_one();
        }
        Ok(())
    }

    fn count_entries(&self, subscribers: u64) -> Result<[u64; 4], Failure> {
        let mut counts = [0, 0, 0, subscribers];
        for index in IDENTIFIERS {
            let mut count = 0_u64;
            self.each_hash(index, |_, _| count = count.saturating_add(1))?;
            if let Some(place) = counts.get_mut(index.number()) {
                *place = count;
            }
        }
        Ok(counts)
    }

    /// Hands the hash of each value of an index to `each`, with the id of its row.
    fn each_hash(&self, index: Index, mut each: impl FnMut(IndexHash, u64)) -> Result<(), Failure> {
        let table = match index {
            Index::Tokens => Table::Subscribers,
            _ => Table::Contacts,
        };
        let mut after = None;
        loop {
            let chunk = read_chunk(
                self.transaction,
                table.name(),
                Width::Int,
                after.as_ref(),
                CHUNK,
            )?;
            let Some((last, _)) = chunk.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for (key, bytes) in &chunk {
                let (hash, id) = if index == Index::Tokens {
                    let (id, row) = record::decode_row::<SubscriberRow>(key, bytes)?;
                    let hash = self.hasher.token(row.app.0, row.token.as_str());
                    (Some(hash), id.value())
                } else {
                    let (id, card) = record::decode_row::<CardRow>(key, bytes)?;
                    let hash = identifier_hash(self.hasher, index, &card.identifiers);
                    (hash, id.value())
                };
                if let Some(hash) = hash {
                    each(hash, id);
                }
            }
        }
    }

    fn write_buckets(&self, entries: &[(Place, Entry)]) -> Result<(), Failure> {
        let mut rows = Batch::default();
        for of_place in entries.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((place, _)) = of_place.first() else {
                continue;
            };
            let entries: Vec<Entry> = of_place.iter().map(|(_, entry)| *entry).collect();
            for (key, entries) in self.layout.cut(*place, &entries) {
                let payload = bucket::encode(place.index(), entries);
                rows.add_payload(Table::Index, Key::Int(key), &payload)?;
            }
        }
        rows.write(self.transaction, Table::Index)
    }

    fn meta(&mut self, format: &FormatRow) -> Result<(), Failure> {
        let mut rows = Batch::default();
        rows.add(&keys::STATE_KEY, &self.state)?;
        let index_state = IndexState {
            entries: self.entries,
            layout: self.layout,
            ..IndexState::default()
        };
        rows.add(&keys::INDEX_STATE_KEY, &index_state)?;
        for (number, tally) in &self.tallies {
            rows.add(number, tally)?;
        }
        rows.write(self.transaction, Table::Meta)?;
        let key = Key::Int(keys::FORMAT_KEY);
        let format = meta::encode_format(&key, &format.upgraded())?;
        write(
            self.transaction,
            Table::Meta,
            [(&key, Write::Put(&format))].into_iter(),
        )
    }
}

/// Whether pass `pass` of `passes` sorts the entries of a place. The places of a pass come in order after
/// those of the one before.
fn in_pass(place: Place, pass: u64, passes: u64) -> bool {
    const SHARDS: u64 = super::unique::entry::SHARDS as u64;
    let at = (place.shard() as u64)
        .saturating_mul(passes)
        .checked_div(SHARDS);
    at == Some(pass)
}
