//! Contacts as CSV (R70).

mod damage;
mod forms;
mod interrupted;
mod options;
mod providers;
mod round_trip;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use contact_store::transfer::{CsvImported, CsvOptions, Imported, TransferError, import_csv};
use contact_store::{Card, ContactStore};

use crate::support::{assert_sound, options};

/// A row that was refused: its line, why, and the row.
type Refused = (u64, &'static str, String);

fn refused(line: u64, reason: &'static str, row: &str) -> Refused {
    (line, reason, row.to_owned())
}

fn empty() -> ContactStore {
    ContactStore::open_in_memory(options().0).unwrap()
}

fn cards(store: &ContactStore) -> Vec<Card> {
    let cards = store.snapshot().unwrap().iter_contacts();
    cards.collect::<Result<_, _>>().unwrap()
}

/// Imports a source; what was done, and the rows that were refused.
#[track_caller]
fn import(store: &ContactStore, source: &[u8], options: CsvOptions) -> (CsvImported, Vec<Refused>) {
    let mut rows = Vec::new();
    let done = import_csv(
        store,
        source,
        options,
        |rejected| {
            let row = String::from_utf8_lossy(rejected.row).into_owned();
            assert_eq!(rejected.reason, rejected.error.reason());
            rows.push((rejected.line, rejected.reason, row));
            ControlFlow::Continue(())
        },
        |_| ControlFlow::Continue(()),
    );
    let done = done.unwrap();
    assert_sound(store);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, reason, _) in &rows {
        *counts.entry(reason).or_default() += 1;
    }
    assert_eq!(done.imported.refused, counts);
    (done, rows)
}

/// The error of an import that writes nothing.
#[track_caller]
fn fails(source: &[u8], options: CsvOptions) -> TransferError {
    let store = empty();
    let failed = import_csv(
        &store,
        source,
        options,
        |_| panic!("a row is refused"),
        |_| panic!("a batch is done"),
    );
    assert_eq!(store.snapshot().unwrap().sequence().value(), 0);
    failed.unwrap_err()
}

/// The counts of rows: all, created, updated, unchanged, refused.
fn counts(of: &Imported) -> [u64; 5] {
    let refused = of.refused_rows();
    [of.rows, of.created, of.updated, of.unchanged, refused]
}

/// A card in one line: identifiers, fields, custom fields.
fn shown(card: &Card) -> String {
    let (of, fields) = (&card.identifiers, &card.fields);
    let mut shown = vec![card.id.to_string()];
    let identifiers = [
        of.external_customer_id().map(|id| id.as_str().to_owned()),
        of.phone().map(|phone| phone.digits()),
        of.email().map(|email| email.as_str().to_owned()),
    ];
    let fixed = [
        &fields.first_name,
        &fields.last_name,
        &fields.language_code,
        &fields.time_zone,
    ];
    shown.extend(identifiers.into_iter().flatten());
    shown.extend(fixed.into_iter().flatten().cloned());
    let custom = fields.custom.iter();
    shown.extend(custom.map(|(name, value)| format!("{name}={value}")));
    shown.join(" ")
}

#[track_caller]
fn holds(store: &ContactStore, expected: &[&str]) {
    let cards: Vec<String> = cards(store).iter().map(shown).collect();
    assert_eq!(cards, expected);
}
