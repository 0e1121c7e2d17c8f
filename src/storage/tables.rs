//! The redb tables: names, key types, what a row of each is.
//!
//! Keys are fixed-width integers or bytes, values are bytes: redb's own decoding of richer types
//! panics on damage. Nothing here knows what is inside a value.
//!
//! | table | key | row |
//! | --- | --- | --- |
//! | `meta` | 0 | [`FormatRow`](super::format::meta::FormatRow), written once |
//! | | 1 | [`State`](super::format::meta::State), counters, in every commit |
//! | | 2 | [`IndexState`](super::unique::IndexState), where the indexes stand |
//! | | 2^32 + app number | [`AppTallyRow`](super::format::rows::AppTallyRow): the counts of an app, and its id for ever |
//! | `contacts` | contact id | [`CardRow`](super::format::rows::CardRow) |
//! | `subscribers` | subscriber id, which begins with the app number | [`SubscriberRow`](super::format::rows::SubscriberRow); those of an app in the order of the listing (R38) |
//! | `taken_ids` | first id of a run | last id: a maximal run of ids at or above the counter that were adopted (R19) |
//! | `apps` | app id | [`AppRow`](super::format::rows::AppRow) of a connected app |
//! | `messages` | app number, message id | [`MessageRow`](super::format::rows::MessageRow) |
//! | `index` | generation, place, bucket | a [`bucket`](super::unique) of entries of one of the four unique indexes |
//! | `index_log` | number | changes of the indexes that no bucket has yet |
//! | `former_ids` | subscriber id in format 1 | the id that the subscriber has now |
//! | `changes` | sequence number, part of the request | [`ChangesRow`](super::format::changes::ChangesRow) of the change feed |
//! | `merged_ids` | id of a contact that was merged | [`MergedIdRow`](super::format::merges::MergedIdRow): the contact that it leads to (R58) |
//! | `merges` | the contact that it leads to, the id | [`MergeRow`](super::format::merges::MergeRow): what the merged contact had |
//! | `suppressed` | keyed hash of an identifier | [`SuppressedRow`](super::format::optional::SuppressedRow): only its kind (R65) |
//! | `blocked` | number | [`BlockedRow`](super::format::optional::BlockedRow): who held a token that FAILED removed (R63) |
//! | `blocked_index` | [`BlockedKey`](super::format::optional::BlockedKey): of a token, or of a contact | the number in `blocked` |
//! | `answers` | sequence number | [`AnswerRow`](super::format::answers::AnswerRow): the answer to a request with an idempotency key |
//! | `answer_keys` | keyed hash of an idempotency key | [`AnswerKeyRow`](super::format::answers::AnswerKeyRow): the last request under it |
//! | `conflicts` | [`ConflictKey`](super::format::conflicts::ConflictKey): two contacts, the smaller id first, or its mirror | [`ConflictRow`](super::format::conflicts::ConflictRow): how often requests named both (R61) |
//! | `merge_identifiers` | [`MergeIdentifierKey`](super::format::merges::MergeIdentifierKey): hash of an identifier, id of a merged contact | nothing: the row in `merges` of that contact has the identifier |
//!
//! A file of format 2 has all of them. Tables of later formats follow those in [`Table::ALL`]: a file need
//! not have them, and the first row that is put into one creates it.
//!
//! What changes with every request shares pages: counters, counts and the end of the log are one
//! small table. Rows of contacts, subscribers, buckets and log are appended.

use std::ops::Bound;

use redb::{
    CursorError, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata as _,
    TableDefinition, TableError, WriteTransaction,
};

use super::guard::Failure;

/// One of the tables. The numbers are in every checksum: they are part of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    Meta = 1,
    Contacts = 2,
    TakenIds = 6,
    Apps = 7,
    Subscribers = 9,
    Messages = 12,
    Index = 13,
    IndexLog = 14,
    FormerIds = 15,
    Changes = 16,
    MergedIds = 20,
    Merges = 21,
    Suppressed = 30,
    Blocked = 31,
    BlockedIndex = 32,
    Answers = 40,
    AnswerKeys = 41,
    Conflicts = 50,
    MergeIdentifiers = 60,
}

impl Table {
    pub(super) const ALL: [Table; 19] = [
        Table::Meta,
        Table::Contacts,
        Table::TakenIds,
        Table::Apps,
        Table::Subscribers,
        Table::Messages,
        Table::Index,
        Table::IndexLog,
        Table::FormerIds,
        Table::Changes,
        Table::MergedIds,
        Table::Merges,
        Table::Suppressed,
        Table::Blocked,
        Table::BlockedIndex,
        Table::Answers,
        Table::AnswerKeys,
        Table::Conflicts,
        Table::MergeIdentifiers,
    ];

    /// How many of [`Table::ALL`], from the first on, are in every file.
    pub(super) const IN_EVERY_FILE: usize = 9;

    /// Whether a file need not have it. It has no rows then.
    pub(super) fn is_optional(self) -> bool {
        self.position() >= Self::IN_EVERY_FILE
    }

    /// The name in the file, and in what `verify` reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Contacts => "contacts",
            Table::TakenIds => "taken_ids",
            Table::Apps => "apps",
            Table::Subscribers => "subscribers",
            Table::Messages => "messages",
            Table::Index => "index",
            Table::IndexLog => "index_log",
            Table::FormerIds => "former_ids",
            Table::Changes => "changes",
            Table::MergedIds => "merged_ids",
            Table::Merges => "merges",
            Table::Suppressed => "suppressed",
            Table::Blocked => "blocked",
            Table::BlockedIndex => "blocked_index",
            Table::Answers => "answers",
            Table::AnswerKeys => "answer_keys",
            Table::Conflicts => "conflicts",
            Table::MergeIdentifiers => "merge_identifiers",
        }
    }

    /// Where the table is in [`Table::ALL`].
    pub(super) fn position(self) -> usize {
        match self {
            Table::Meta => 0,
            Table::Contacts => 1,
            Table::TakenIds => 2,
            Table::Apps => 3,
            Table::Subscribers => 4,
            Table::Messages => 5,
            Table::Index => 6,
            Table::IndexLog => 7,
            Table::FormerIds => 8,
            Table::Changes => 9,
            Table::MergedIds => 10,
            Table::Merges => 11,
            Table::Suppressed => 12,
            Table::Blocked => 13,
            Table::BlockedIndex => 14,
            Table::Answers => 15,
            Table::AnswerKeys => 16,
            Table::Conflicts => 17,
            Table::MergeIdentifiers => 18,
        }
    }

    /// The first and the last key that a row could have.
    pub(super) fn span(self) -> (Key, Key) {
        match self.width() {
            Width::Int => (Key::Int(0), Key::Int(u64::MAX)),
            Width::Wide => (Key::Wide(0), Key::Wide(u128::MAX)),
            // A message id is at most 256 bytes of UTF-8, which has no byte 255.
            Width::Bytes => (
                Key::Bytes(Box::default()),
                Key::Bytes(vec![u8::MAX; 9].into()),
            ),
        }
    }

    /// Whether the rows that a commit removes are neighbours, with no other row between them.
    fn is_removed_in_runs(self) -> bool {
        matches!(
            self,
            Table::Index | Table::IndexLog | Table::Changes | Table::Answers
        )
    }

    pub(super) fn width(self) -> Width {
        match self {
            Table::Apps
            | Table::Changes
            | Table::Merges
            | Table::Suppressed
            | Table::BlockedIndex
            | Table::AnswerKeys
            | Table::Conflicts
            | Table::MergeIdentifiers => Width::Wide,
            Table::Messages => Width::Bytes,
            _ => Width::Int,
        }
    }
}

/// What the keys of a table are.
#[derive(Clone, Copy)]
pub(super) enum Width {
    Int,
    Wide,
    Bytes,
}

/// The key of a row. All keys of one table are of one variant, so the order of keys is the order
/// of the table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Int(u64),
    Wide(u128),
    Bytes(Box<[u8]>),
}

type IntTable<'n> = TableDefinition<'n, u64, &'static [u8]>;
type WideTable<'n> = TableDefinition<'n, u128, &'static [u8]>;
type BytesTable<'n> = TableDefinition<'n, &'static [u8], &'static [u8]>;

fn int(name: &str) -> IntTable<'_> {
    TableDefinition::new(name)
}

fn wide(table: Table) -> WideTable<'static> {
    TableDefinition::new(table.name())
}

fn bytes(table: Table) -> BytesTable<'static> {
    TableDefinition::new(table.name())
}

/// A table opened for reading.
pub(super) enum OpenTable {
    Int(ReadOnlyTable<u64, &'static [u8]>),
    Wide(ReadOnlyTable<u128, &'static [u8]>),
    Bytes(ReadOnlyTable<&'static [u8], &'static [u8]>),
}

/// The failure for a key that is not of its table's width, which no code path makes.
const WRONG_WIDTH: Failure = Failure::Corrupt("a key of another table");

impl OpenTable {
    /// Opens a table; `None` where the file need not have it and does not.
    pub(super) fn open_if_there(
        transaction: &ReadTransaction,
        table: Table,
    ) -> Result<Option<Self>, TableError> {
        match Self::open(transaction, table) {
            Err(TableError::TableDoesNotExist(_)) if table.is_optional() => Ok(None),
            opened => opened.map(Some),
        }
    }

    pub(super) fn open(transaction: &ReadTransaction, table: Table) -> Result<Self, TableError> {
        Ok(match table.width() {
            Width::Int => OpenTable::Int(transaction.open_table(int(table.name()))?),
            Width::Wide => OpenTable::Wide(transaction.open_table(wide(table))?),
            Width::Bytes => OpenTable::Bytes(transaction.open_table(bytes(table))?),
        })
    }

    /// Bytes of the pages that the table takes. Reads all of them.
    pub(super) fn page_bytes(&self) -> Result<u64, Failure> {
        let stats = match self {
            OpenTable::Int(table) => table.stats()?,
            OpenTable::Wide(table) => table.stats()?,
            OpenTable::Bytes(table) => table.stats()?,
        };
        let filled = stats.stored_bytes().saturating_add(stats.metadata_bytes());
        Ok(filled.saturating_add(stats.fragmented_bytes()))
    }

    /// How many rows it has.
    pub(super) fn row_count(&self) -> Result<u64, Failure> {
        Ok(match self {
            OpenTable::Int(table) => table.len()?,
            OpenTable::Wide(table) => table.len()?,
            OpenTable::Bytes(table) => table.len()?,
        })
    }

    /// Hands the row's bytes to `read`.
    pub(super) fn get<T>(
        &self,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let row = match (self, key) {
            (OpenTable::Int(table), Key::Int(key)) => ReadableTable::get(table, key)?,
            (OpenTable::Wide(table), Key::Wide(key)) => ReadableTable::get(table, key)?,
            (OpenTable::Bytes(table), Key::Bytes(key)) => ReadableTable::get(table, &**key)?,
            _ => return Err(WRONG_WIDTH),
        };
        row.map(|row| read(row.value())).transpose()
    }

    /// Hands rows with keys from `first` to `last`, both included, to `each`, upwards or downwards,
    /// until it answers `false`.
    pub(super) fn walk(
        &self,
        first: &Key,
        last: &Key,
        upwards: bool,
        mut each: impl FnMut(Key, &[u8]) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        // The arms differ in the key's type alone, which redb's ranges carry.
        macro_rules! walk {
            ($table:expr, $type:ty, $range:expr, $key:expr) => {{
                let mut rows = ReadableTable::range::<$type>($table, $range)?;
                while let Some(row) = if upwards {
                    rows.next()
                } else {
                    rows.next_back()
                } {
                    let (key, value) = row?;
                    if !each($key(key.value()), value.value())? {
                        break;
                    }
                }
            }};
        }
        match (self, first, last) {
            (OpenTable::Int(table), Key::Int(first), Key::Int(last)) => {
                walk!(table, u64, *first..=*last, Key::Int)
            }
            (OpenTable::Wide(table), Key::Wide(first), Key::Wide(last)) => {
                walk!(table, u128, *first..=*last, Key::Wide)
            }
            (OpenTable::Bytes(table), Key::Bytes(first), Key::Bytes(last)) => {
                walk!(table, &[u8], &**first..=&**last, |key: &[u8]| Key::Bytes(
                    key.into()
                ))
            }
            _ => return Err(WRONG_WIDTH),
        }
        Ok(())
    }
}

/// Makes every table exist that is in every file.
pub(super) fn create_all(transaction: &WriteTransaction) -> Result<(), Failure> {
    for table in Table::ALL.into_iter().filter(|table| !table.is_optional()) {
        write(transaction, table, std::iter::empty())?;
    }
    Ok(())
}

/// Renames a table in a file that is upgraded.
pub(super) fn rename(
    transaction: &WriteTransaction,
    width: Width,
    from: &str,
    to: &str,
) -> Result<(), Failure> {
    match width {
        Width::Int => transaction.rename_table(IntTable::new(from), IntTable::new(to))?,
        Width::Wide => transaction.rename_table(WideTable::new(from), WideTable::new(to))?,
        Width::Bytes => transaction.rename_table(BytesTable::new(from), BytesTable::new(to))?,
    }
    Ok(())
}

/// Deletes a table in a file that is upgraded.
pub(super) fn delete(
    transaction: &WriteTransaction,
    width: Width,
    name: &str,
) -> Result<(), Failure> {
    match width {
        Width::Int => transaction.delete_table(IntTable::new(name))?,
        Width::Wide => transaction.delete_table(WideTable::new(name))?,
        Width::Bytes => transaction.delete_table(BytesTable::new(name))?,
    };
    Ok(())
}

/// How many rows a table with keys that are integers has.
pub(super) fn rows_in(transaction: &WriteTransaction, name: &str) -> Result<u64, Failure> {
    Ok(transaction.open_table(IntTable::new(name))?.len()?)
}

/// Hands a row of a table with keys that are integers to `read`.
pub(super) fn read_one<T>(
    transaction: &WriteTransaction,
    name: &str,
    key: &Key,
    read: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let Key::Int(key) = key else {
        return Err(WRONG_WIDTH);
    };
    let table = transaction.open_table(IntTable::new(name))?;
    let row = ReadableTable::get(&table, key)?;
    row.map(|row| read(row.value())).transpose()
}

/// At most `most` rows of a table after a key, in order.
pub(super) fn read_chunk(
    transaction: &WriteTransaction,
    name: &str,
    width: Width,
    after: Option<&Key>,
    most: usize,
) -> Result<Vec<(Key, Vec<u8>)>, Failure> {
    let mut rows = Vec::new();
    // The arms differ in the key's type alone, which redb's ranges carry.
    macro_rules! read {
        ($definition:expr, $type:ty, $variant:path, $after:ident => $borrowed:expr, $key:expr) => {{
            let table = transaction.open_table($definition)?;
            let first: Bound<$type> = match after {
                Some($variant($after)) => Bound::Excluded($borrowed),
                Some(_) => return Err(WRONG_WIDTH),
                None => Bound::Unbounded,
            };
            for row in ReadableTable::range::<$type>(&table, (first, Bound::Unbounded))?.take(most)
            {
                let (key, value) = row?;
                rows.push(($key(key.value()), value.value().to_vec()));
            }
        }};
    }
    match width {
        Width::Int => read!(IntTable::new(name), u64, Key::Int, key => *key, Key::Int),
        Width::Wide => read!(WideTable::new(name), u128, Key::Wide, key => *key, Key::Wide),
        Width::Bytes => {
            read!(BytesTable::new(name), &[u8], Key::Bytes, key => &**key, |key: &[u8]| {
                Key::Bytes(key.into())
            })
        }
    }
    Ok(rows)
}

/// What happens to a row.
#[derive(Clone, Copy)]
pub(super) enum Write<'a> {
    /// It is new: no row has this key.
    Insert(&'a [u8]),
    Put(&'a [u8]),
    Remove,
}

/// So many new rows go in through a cursor, which takes less time for each of so many, and more for fewer.
const RUN: usize = 64;

/// Writes changes of one table, which must come in key order: neighbours share pages.
///
/// Runs of new rows go in through a cursor, which fills pages wholly where single insertions leave
/// them half empty. After the last row of a table it is the other way round: there redb fills a page before it
/// begins another, while a cursor that has few rows shares them out between two.
pub(super) fn write<'a>(
    transaction: &WriteTransaction,
    table: Table,
    changes: impl Iterator<Item = (&'a Key, Write<'a>)>,
) -> Result<(), Failure> {
    // The arms differ in the key's type alone, which redb's tables carry.
    macro_rules! write {
        ($definition:expr, $changes:expr, $variant:path, $key:ident => $borrowed:expr) => {{
            let mut open = transaction.open_table($definition)?;
            let mut changes = $changes.peekable();
            let mut run = Vec::new();
            while let Some((key, change)) = changes.next() {
                let $variant($key) = key else {
                    return Err(WRONG_WIDTH);
                };
                match change {
                    Write::Put(value) => drop(open.insert($borrowed, value)?),
                    Write::Remove => drop(open.remove($borrowed)?),
                    Write::Insert(value) => {
                        run.push(($key, value));
                        while let Some((key, Write::Insert(value))) =
                            changes.next_if(|(_, next)| matches!(next, Write::Insert(_)))
                        {
                            let $variant($key) = key else {
                                return Err(WRONG_WIDTH);
                            };
                            run.push(($key, value));
                        }
                        let is_last = ReadableTable::last(&open)?
                            .is_none_or(|(last, _)| $variant(last.value().into()) < *key);
                        if is_last && run.len() < RUN {
                            for ($key, value) in run.drain(..) {
                                open.insert($borrowed, value)?;
                            }
                            continue;
                        }
                        let mut run = run.drain(..).peekable();
                        while let Some(($key, value)) = run.next() {
                            let mut cursor = open.upper_bound_mut(Bound::Excluded($borrowed))?;
                            cursor.insert_before($borrowed, value)?;
                            while let Some(&($key, value)) = run.peek() {
                                match cursor.insert_before($borrowed, value) {
                                    Ok(()) => drop(run.next()),
                                    // Another row comes first: the next run begins after it.
                                    Err(CursorError::UnorderedKey) => break,
                                    Err(error) => return Err(error.into()),
                                }
                            }
                            cursor.close()?;
                        }
                    }
                }
            }
        }};
    }
    // Removes rows in one pass, which takes a tenth of the time of removing each by itself where there
    // are no others between them.
    macro_rules! remove_run {
        ($definition:expr, $type:ty, $variant:path, $removed:expr) => {{
            let mut removed = $removed.iter().map(|(key, _)| *key).peekable();
            let ends = ($removed.first(), $removed.last());
            if let (Some(($variant(first), _)), Some(($variant(last), _))) = ends {
                let mut open = transaction.open_table($definition)?;
                open.retain_in::<$type, _>(*first..=*last, |key, _| {
                    let key = $variant(key);
                    while removed.next_if(|removed| **removed < key).is_some() {}
                    removed.peek() != Some(&&key)
                })?;
            }
        }};
    }
    match table.width() {
        Width::Int if table.is_removed_in_runs() => {
            let (removed, others): (Vec<_>, Vec<_>) =
                changes.partition(|(_, change)| matches!(change, Write::Remove));
            remove_run!(int(table.name()), u64, Key::Int, removed);
            write!(int(table.name()), others.into_iter(), Key::Int, key => key)
        }
        Width::Int => write!(int(table.name()), changes, Key::Int, key => key),
        Width::Wide if table.is_removed_in_runs() => {
            let (removed, others): (Vec<_>, Vec<_>) =
                changes.partition(|(_, change)| matches!(change, Write::Remove));
            remove_run!(wide(table), u128, Key::Wide, removed);
            write!(wide(table), others.into_iter(), Key::Wide, key => key)
        }
        Width::Wide => write!(wide(table), changes, Key::Wide, key => key),
        Width::Bytes => write!(bytes(table), changes, Key::Bytes, key => &**key),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::{Database, ReadableDatabase as _, backends::InMemoryBackend};

    const ROWS: u64 = 2_000;

    /// The bytes of the pages of a table, after its rows came in runs of so many.
    fn page_bytes(in_runs_of: usize, last: Option<u64>) -> Result<u64, Failure> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new())?;
        let transaction = database.begin_write()?;
        let row = [7; 100];
        let put = |keys: Vec<u64>| {
            let keys: Vec<_> = keys.into_iter().map(Key::Int).collect();
            let rows = keys.iter().map(|key| (key, Write::Insert(&row)));
            write(&transaction, Table::Subscribers, rows)
        };
        put(last.into_iter().collect())?;
        let keys: Vec<u64> = (1..=ROWS).collect();
        for keys in keys.chunks(in_runs_of) {
            put(keys.to_vec())?;
        }
        transaction.commit()?;
        let transaction = database.begin_read()?;
        let table = OpenTable::open(&transaction, Table::Subscribers)?;
        let others = u64::from(last.is_some());
        assert_eq!(table.row_count()?, ROWS.saturating_add(others));
        table.page_bytes()
    }

    #[test]
    fn new_rows_fill_their_pages_in_runs_of_any_length_at_the_end_and_in_long_ones_elsewhere()
    -> Result<(), Failure> {
        for (last, runs) in [
            (None, &[1, 2, 3, 20, RUN - 1, RUN, 300][..]),
            (Some(u64::MAX), &[RUN, 300]),
        ] {
            let together = page_bytes(usize::MAX, last)?;
            for in_runs_of in runs {
                let bytes = page_bytes(*in_runs_of, last)?;
                assert!(
                    bytes <= together.saturating_add(together / 8),
                    "{last:?}, {in_runs_of}: {bytes}, together {together}"
                );
            }
        }
        Ok(())
    }
}
