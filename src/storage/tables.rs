//! The redb tables: names, key types, what a row of each is.
//!
//! Keys are fixed-width integers or bytes, values are bytes: redb's own decoding of richer types
//! panics on damage. Nothing here knows what is inside a value.
//!
//! | table | key | row |
//! | --- | --- | --- |
//! | `meta` | 0, 1 | 0: [`FormatRow`](super::meta::FormatRow), written once; 1: [`State`](super::meta::State), counters, in every commit |
//! | `contacts` | contact id | [`CardRow`](super::rows::CardRow) |
//! | `external_ids` | hash of the external id | ids of the contacts whose external id has this hash |
//! | `phones` | the phone's digits as a number | ids of the contacts with it: one |
//! | `emails` | hash of the email | as `external_ids` |
//! | `taken_ids` | first id of a run | last id: a maximal run of ids at or above the counter that were adopted (R19) |
//! | `apps` | app id | [`AppRow`](super::rows::AppRow) of a connected app |
//! | `app_tallies` | app number | [`AppTallyRow`](super::rows::AppTallyRow), until the last trace of that connection is gone |
//! | `subscribers` | subscriber id | [`SubscriberRow`](super::rows::SubscriberRow) |
//! | `tokens` | hash of app number and token | ids of the subscribers with this hash |
//! | `app_subscribers` | app number, subscriber id | nothing: the order of the listing (R38) |
//! | `messages` | app number, message id | [`MessageRow`](super::rows::MessageRow) |

use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction,
};

use super::guard::Failure;

/// One of the tables. The numbers are in every checksum: they are part of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    Meta = 1,
    Contacts = 2,
    ExternalIds = 3,
    Phones = 4,
    Emails = 5,
    TakenIds = 6,
    Apps = 7,
    AppTallies = 8,
    Subscribers = 9,
    Tokens = 10,
    AppSubscribers = 11,
    Messages = 12,
}

impl Table {
    pub(super) const ALL: [Table; 12] = [
        Table::Meta,
        Table::Contacts,
        Table::ExternalIds,
        Table::Phones,
        Table::Emails,
        Table::TakenIds,
        Table::Apps,
        Table::AppTallies,
        Table::Subscribers,
        Table::Tokens,
        Table::AppSubscribers,
        Table::Messages,
    ];

    /// The name in the file, and in what `verify` reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Contacts => "contacts",
            Table::ExternalIds => "external_ids",
            Table::Phones => "phones",
            Table::Emails => "emails",
            Table::TakenIds => "taken_ids",
            Table::Apps => "apps",
            Table::AppTallies => "app_tallies",
            Table::Subscribers => "subscribers",
            Table::Tokens => "tokens",
            Table::AppSubscribers => "app_subscribers",
            Table::Messages => "messages",
        }
    }

    fn width(self) -> Width {
        match self {
            Table::Apps | Table::AppSubscribers => Width::Wide,
            Table::Messages => Width::Bytes,
            _ => Width::Int,
        }
    }
}

enum Width {
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

type IntTable = TableDefinition<'static, u64, &'static [u8]>;
type WideTable = TableDefinition<'static, u128, &'static [u8]>;
type BytesTable = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn int(name: &'static str) -> IntTable {
    TableDefinition::new(name)
}

fn wide(table: Table) -> WideTable {
    TableDefinition::new(table.name())
}

fn bytes(table: Table) -> BytesTable {
    TableDefinition::new(table.name())
}

/// A table opened for reading.
pub(super) enum OpenTable {
    Int(ReadOnlyTable<u64, &'static [u8]>),
    Wide(ReadOnlyTable<u128, &'static [u8]>),
    Bytes(ReadOnlyTable<&'static [u8], &'static [u8]>),
}

/// What is said of a table whose key is not of its width, which no code path makes.
const WRONG_WIDTH: Failure = Failure::Corrupt("a key of another table");

impl OpenTable {
    pub(super) fn open(transaction: &ReadTransaction, table: Table) -> Result<Self, TableError> {
        Ok(match table.width() {
            Width::Int => OpenTable::Int(transaction.open_table(int(table.name()))?),
            Width::Wide => OpenTable::Wide(transaction.open_table(wide(table))?),
            Width::Bytes => OpenTable::Bytes(transaction.open_table(bytes(table))?),
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

/// Makes every table exist.
pub(super) fn create_all(transaction: &WriteTransaction) -> Result<(), Failure> {
    for table in Table::ALL {
        write(transaction, table, std::iter::empty())?;
    }
    Ok(())
}

/// Writes changes of one table, which must come in key order: neighbours share pages.
pub(super) fn write<'a>(
    transaction: &WriteTransaction,
    table: Table,
    changes: impl Iterator<Item = (&'a Key, Option<&'a [u8]>)>,
) -> Result<(), Failure> {
    // The arms differ in the key's type alone, which redb's tables carry.
    macro_rules! write {
        ($definition:expr, $variant:path, $key:ident => $borrowed:expr) => {{
            let mut open = transaction.open_table($definition)?;
            for (key, value) in changes {
                let $variant($key) = key else {
                    return Err(WRONG_WIDTH);
                };
                match value {
                    Some(value) => drop(open.insert($borrowed, value)?),
                    None => drop(open.remove($borrowed)?),
                }
            }
        }};
    }
    match table.width() {
        Width::Int => write!(int(table.name()), Key::Int, key => key),
        Width::Wide => write!(wide(table), Key::Wide, key => key),
        Width::Bytes => write!(bytes(table), Key::Bytes, key => &**key),
    }
    Ok(())
}
