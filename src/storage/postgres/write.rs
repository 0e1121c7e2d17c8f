//! Statements that write what requests changed.

use serde_json::{Map, json};
use tokio_postgres::Row;

use super::super::draft::Changes;
use super::super::format::hash::IndexHasher;
use super::super::format::keys::{FORMAT_KEY, RowKey as _, STATE_KEY};
use super::super::format::record;
use super::super::format::rows::{AppPhase, AppRow, AppTallyRow, CardRow, SubscriberRow};
use super::super::guard::Failure;
use super::super::index::{IDENTIFIERS, identifier_hash};
use super::super::tables::{Key, Table, Width, Write};
use super::keys;
use super::link::{Ask, Value};
use crate::model::app::{AppId, AppNumber};
use crate::model::fields::FieldName;
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;

/// Rows of one table that are written.
struct Columns {
    names: &'static [(&'static str, &'static str)],
    values: Vec<Value>,
}

/// The statements that write all changes, but not that of the state.
pub(super) fn statements(changes: &Changes, hasher: IndexHasher) -> Result<Vec<Ask>, Failure> {
    let mut asks = Vec::new();
    for table in Table::ALL {
        if matches!(table, Table::Index | Table::IndexLog) || !changes.touch(table) {
            continue;
        }
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for (key, write) in changes.of(table) {
            if table == Table::Meta && (*key < AppNumber(0).to_key()) {
                continue;
            }
            match write {
                Write::Insert(record) | Write::Put(record) => put.push((key, record)),
                Write::Remove => removed.push(key),
            }
        }
        if !removed.is_empty() {
            let keys = keys::values(table, removed.into_iter())?;
            asks.push(Ask::new(deletion(table), vec![keys]));
        }
        if !put.is_empty() {
            let columns = match columns(table, &put, hasher)? {
                Some(columns) => columns,
                None => plain(table, &put)?,
            };
            asks.push(Ask::new(insertion(table, columns.names), columns.values));
        }
    }
    Ok(asks)
}

/// The records of the state and of the format, as changed.
pub(super) fn state_records(changes: &Changes) -> (Option<&[u8]>, Option<&[u8]>) {
    let record = |wanted: u64| {
        changes
            .of(Table::Meta)
            .find_map(|(key, write)| match write {
                Write::Insert(record) | Write::Put(record) if *key == Key::Int(wanted) => {
                    Some(record)
                }
                _ => None,
            })
    };
    (record(STATE_KEY), record(FORMAT_KEY))
}

/// The column of the state that counts the rows of a table, if one does.
fn counted_in(table: Table) -> Option<&'static str> {
    match table {
        Table::Answers => Some("answers"),
        Table::MergedIds => Some("merged_ids"),
        _ => None,
    }
}

fn deletion(table: Table) -> String {
    let name = keys::name(table);
    let delete = format!("DELETE FROM {name} WHERE key = ANY($1)");
    match counted_in(table) {
        None => delete,
        Some(column) => format!(
            "WITH gone AS ({delete} RETURNING 1) \
             UPDATE state SET {column} = {column} - (SELECT count(*) FROM gone)"
        ),
    }
}

/// Lists of columns, as statements with arrays of values have them.
struct Parts {
    names: String,
    /// Each cast to its type.
    selected: String,
    /// The values of each.
    arrays: String,
}

fn parts(table: Table, columns: &[(&str, &str)]) -> Parts {
    let key_type = match table.width() {
        Width::Int => "bigint",
        Width::Wide | Width::Bytes => "bytea",
    };
    let all = [("key", key_type), ("value", "bytea")];
    let all: Vec<_> = all.iter().chain(columns).collect();
    let join = |turn: &dyn Fn(usize, &str, &str) -> String| {
        let parts = (1..)
            .zip(&all)
            .map(|(at, (name, sql_type))| turn(at, name, sql_type));
        parts.collect::<Vec<_>>().join(", ")
    };
    // A list in a row comes as text: an array of arrays must have rows of one length.
    let names = join(&|_, name, _| name.to_owned());
    let selected = join(&|_, name, sql_type| match sql_type {
        "bigint[]" | "jsonb" | "uuid" => format!("u.{name}::{sql_type}"),
        _ => format!("u.{name}"),
    });
    let arrays = join(&|at, _, sql_type| match sql_type {
        "bigint[]" | "jsonb" | "uuid" => format!("${at}::text[]"),
        _ => format!("${at}::{sql_type}[]"),
    });
    Parts {
        names,
        selected,
        arrays,
    }
}

fn insertion(table: Table, columns: &[(&str, &str)]) -> String {
    let name = keys::name(table);
    let Parts {
        names,
        selected,
        arrays,
    } = parts(table, columns);
    let set = names.split(", ").skip(1);
    let set = set.map(|name| format!("{name} = excluded.{name}"));
    let set = set.collect::<Vec<_>>().join(", ");
    let insert = format!(
        "INSERT INTO {name} ({names}) SELECT {selected} FROM unnest({arrays}) AS u ({names}) \
         ON CONFLICT (key) DO UPDATE SET {set}"
    );
    match counted_in(table) {
        None => insert,
        // A row that was there before has been locked by its update.
        Some(column) => format!(
            "WITH came AS ({insert} RETURNING xmax = 0 AS is_new) UPDATE state \
             SET {column} = {column} + (SELECT count(*) FROM came WHERE is_new)"
        ),
    }
}

/// Which of these rows have columns that do not follow from their records, and how many entries the indexes over the
/// columns have. A record that does not decode is passed over: it is reported where records are read.
pub(super) fn columns_unlike_records(
    table: Table,
    rows: &[(Key, Vec<u8>)],
    hasher: IndexHasher,
    ask: impl FnOnce(Ask) -> Result<Vec<Vec<Row>>, Failure>,
) -> Result<(Vec<Key>, u64), Failure> {
    let sound = rows.iter().filter(|(key, record)| match table {
        Table::Contacts => record::decode_row::<CardRow>(key, record).is_ok(),
        Table::Subscribers => record::decode_row::<SubscriberRow>(key, record).is_ok(),
        Table::Apps => record::decode_row::<AppRow>(key, record).is_ok(),
        Table::Meta => record::decode_row::<AppTallyRow>(key, record).is_ok(),
        _ => false,
    });
    let put: Vec<(&Key, &[u8])> = sound.map(|(key, record)| (key, &**record)).collect();
    let (mut unlike, mut entries) = (Vec::new(), 0_u64);
    let Some(columns) = columns(table, &put, hasher)?.filter(|_| !put.is_empty()) else {
        return Ok((unlike, entries));
    };
    // The database compares what is there with what would be written.
    let answers = ask(Ask::new(comparison(table, columns.names), columns.values))?;
    for row in answers.iter().flatten() {
        let is_alike: bool = row.try_get(1).map_err(|_| keys::OTHER_TYPE)?;
        let indexed: i32 = row.try_get(2).map_err(|_| keys::OTHER_TYPE)?;
        entries = entries.saturating_add(u64::try_from(indexed).unwrap_or_default());
        if !is_alike {
            unlike.push(keys::key(table, row, 0)?);
        }
    }
    Ok((unlike, entries))
}

/// The columns of a table that has others than a key and a record.
fn columns(table: Table, put: &Put<'_>, hasher: IndexHasher) -> Result<Option<Columns>, Failure> {
    Ok(Some(match table {
        Table::Meta => counts(put)?,
        Table::Contacts => contacts(put, hasher)?,
        Table::Subscribers => subscribers(put, hasher)?,
        Table::Apps => apps(put)?,
        _ => return Ok(None),
    }))
}

/// Says of rows whether their columns are these, and how many entries they have in the indexes.
fn comparison(table: Table, columns: &[(&str, &str)]) -> String {
    let name = keys::name(table);
    let Parts {
        names,
        selected,
        arrays,
    } = parts(table, columns);
    let alike = columns
        .iter()
        .map(|(name, _)| format!("t.{name} IS NOT DISTINCT FROM p.{name}"));
    let alike = alike.collect::<Vec<_>>().join(" AND ");
    let indexed = columns.iter().filter(|(name, _)| name.ends_with("_hash"));
    let indexed = indexed.map(|(name, _)| format!("(t.{name} IS NOT NULL)::int"));
    let indexed = indexed.fold("0".to_owned(), |sum, one| sum + " + " + &one);
    format!(
        "SELECT t.key, {alike}, {indexed} FROM {name} t JOIN \
         (SELECT {selected} FROM unnest({arrays}) AS u ({names})) AS p ({names}) USING (key)"
    )
}

type Put<'c> = [(&'c Key, &'c [u8])];

fn plain(table: Table, put: &Put<'_>) -> Result<Columns, Failure> {
    let records: Vec<Vec<u8>> = put.iter().map(|(_, record)| record.to_vec()).collect();
    let keys = keys::values(table, put.iter().map(|(key, _)| *key))?;
    Ok(Columns {
        names: &[],
        values: vec![keys, Box::new(records)],
    })
}

fn list(numbers: impl Iterator<Item = u64>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

/// Text as a database takes it: it has no character of the number 0.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

fn contacts(put: &Put<'_>, hasher: IndexHasher) -> Result<Columns, Failure> {
    let mut columns = plain(Table::Contacts, put)?;
    columns.names = &[
        ("external_customer_id", "text"),
        ("phone", "bigint"),
        ("email", "text"),
        ("external_id_hash", "bigint"),
        ("phone_hash", "bigint"),
        ("email_hash", "bigint"),
        ("subscribers", "bigint[]"),
        ("added_at", "bigint[]"),
        ("created_at", "bigint"),
        ("fields", "jsonb"),
    ];
    let (mut external_ids, mut phones, mut emails) = (Vec::new(), Vec::new(), Vec::new());
    let mut hashes: [Vec<Option<i64>>; 3] = Default::default();
    let (mut subscribers, mut added_at) = (Vec::new(), Vec::new());
    let (mut created_at, mut fields) = (Vec::new(), Vec::new());
    for (key, record) in put {
        let (_, card): (ContactId, CardRow) = record::decode_row(key, record)?;
        let identifiers = &card.identifiers;
        let external_id = identifiers.external_customer_id();
        external_ids.push(external_id.map(|id| id.as_str().to_owned()));
        phones.push(identifiers.phone().map(|phone| keys::int(phone.as_u64())));
        emails.push(identifiers.email().map(|email| email.as_str().to_owned()));
        for (hashes, index) in hashes.iter_mut().zip(IDENTIFIERS) {
            hashes.push(identifier_hash(hasher, index, identifiers).map(keys::hash));
        }
        subscribers.push(list(card.tokens.iter().map(|held| held.subscriber.value())));
        added_at.push(list(
            card.tokens.iter().map(|held| held.added_at.as_millis()),
        ));
        created_at.push(keys::int(card.created_at.as_millis()));
        let (mut named, mut custom) = (Map::new(), Map::new());
        for (name, value) in card.fields.named() {
            let (of, name) = match name {
                FieldName::FirstName => (&mut named, "firstName"),
                FieldName::LastName => (&mut named, "lastName"),
                FieldName::LanguageCode => (&mut named, "languageCode"),
                FieldName::TimeZone => (&mut named, "timeZone"),
                FieldName::Custom(name) => (&mut custom, name),
            };
            of.insert(shown(name), shown(value).into());
        }
        named.insert("custom".to_owned(), custom.into());
        fields.push(json!(named).to_string());
    }
    let [external_hashes, phone_hashes, email_hashes] = hashes;
    let more: [Value; 10] = [
        Box::new(external_ids),
        Box::new(phones),
        Box::new(emails),
        Box::new(external_hashes),
        Box::new(phone_hashes),
        Box::new(email_hashes),
        Box::new(subscribers),
        Box::new(added_at),
        Box::new(created_at),
        Box::new(fields),
    ];
    columns.values.extend(more);
    Ok(columns)
}

fn subscribers(put: &Put<'_>, hasher: IndexHasher) -> Result<Columns, Failure> {
    let mut columns = plain(Table::Subscribers, put)?;
    columns.names = &[
        ("app", "bigint"),
        ("token", "bytea"),
        ("token_hash", "bigint"),
    ];
    let (mut apps, mut tokens, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (key, record) in put {
        let (_, row): (SubscriberId, SubscriberRow) = record::decode_row(key, record)?;
        apps.push(keys::int(row.app.0));
        tokens.push(row.token.as_str().as_bytes().to_vec());
        hashes.push(keys::hash(hasher.token(row.app.0, row.token.as_str())));
    }
    let more: [Value; 3] = [Box::new(apps), Box::new(tokens), Box::new(hashes)];
    columns.values.extend(more);
    Ok(columns)
}

fn apps(put: &Put<'_>) -> Result<Columns, Failure> {
    let mut columns = plain(Table::Apps, put)?;
    columns.names = &[
        ("number", "bigint"),
        ("name", "text"),
        ("connected_at", "bigint"),
    ];
    let (mut numbers, mut names, mut connected_at) = (Vec::new(), Vec::new(), Vec::new());
    for (key, record) in put {
        let (_, row): (AppId, AppRow) = record::decode_row(key, record)?;
        numbers.push(keys::int(row.number.0));
        names.push(shown(row.name.as_str()));
        connected_at.push(keys::int(row.connected_at.as_millis()));
    }
    let more: [Value; 3] = [Box::new(numbers), Box::new(names), Box::new(connected_at)];
    columns.values.extend(more);
    Ok(columns)
}

fn counts(put: &Put<'_>) -> Result<Columns, Failure> {
    let mut columns = plain(Table::Meta, put)?;
    columns.names = &[
        ("app", "uuid"),
        ("is_connected", "boolean"),
        ("subscribers", "bigint"),
        ("contacts", "bigint"),
        ("removed_by_failed", "bigint"),
        ("removed_by_host", "bigint"),
    ];
    let (mut apps, mut connected) = (Vec::new(), Vec::new());
    let mut counts: [Vec<i64>; 4] = Default::default();
    for (key, record) in put {
        let (_, row): (AppNumber, AppTallyRow) = record::decode_row(key, record)?;
        apps.push(row.app.to_string());
        connected.push(row.phase == AppPhase::Connected);
        let of = [
            row.subscribers,
            row.contacts,
            row.removed_by_failed,
            row.removed_by_host,
        ];
        for (counts, of) in counts.iter_mut().zip(of) {
            counts.push(keys::int(of));
        }
    }
    let more: [Value; 2] = [Box::new(apps), Box::new(connected)];
    columns.values.extend(more);
    let counts = counts.map(|counts| Box::new(counts) as Value);
    columns.values.extend(counts);
    Ok(columns)
}
