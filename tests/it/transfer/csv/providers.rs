//! Exports of other programs, taken without a mapping. Nobody in them is real.

use contact_store::transfer::{CsvField, CsvOptions};

use super::{counts, empty, holds, import};

/// Imports a file twice: the second time nothing changes.
#[track_caller]
fn takes(file: &[u8], expected: &[&str], more_values: u64, ignored: &[usize]) {
    let store = empty();
    let rows = expected.len() as u64;
    let (done, refused) = import(&store, file, CsvOptions::default());
    assert_eq!(refused, []);
    assert_eq!(counts(&done.imported), [rows, rows, 0, 0, 0]);
    assert_eq!(done.imported.more_values, more_values);
    assert_eq!(done.ignored_columns, ignored);
    holds(&store, expected);
    let (done, _) = import(&store, file, CsvOptions::default());
    assert_eq!(counts(&done.imported), [rows, 0, 0, rows, 0]);
}

#[test]
fn r70_google_contacts() {
    takes(
        include_bytes!("files/google.csv"),
        &[
            "1 380500000001 ann@example.com Ann Example",
            "2 bob@example.com Bob",
        ],
        3,
        &[2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17],
    );
    takes(
        include_bytes!("files/google_older.csv"),
        &["1 380500000001 ann@example.com Ann Example"],
        1,
        &[1, 3, 5, 6, 8],
    );
}

#[test]
fn r70_mailchimp() {
    takes(
        include_bytes!("files/mailchimp.csv"),
        &["1 380500000001 ann@example.com Ann Example Europe/Kyiv"],
        0,
        &[4, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18],
    );
}

#[test]
fn r70_hubspot() {
    takes(
        include_bytes!("files/hubspot.csv"),
        &["1 380500000001 ann@example.com Ann Example uk Europe/Kyiv"],
        2,
        &[1, 9, 10],
    );
}

#[test]
fn r70_esputnik_and_yespo() {
    takes(
        include_bytes!("files/esputnik.csv"),
        &["7 crm-1 380500000001 ann@example.com Ann Example uk +02:00"],
        0,
        &[9],
    );
    takes(
        include_bytes!("files/yespo.csv"),
        &["1 crm-1 380500000001 ann@example.com Ann Example uk Europe/Kyiv"],
        0,
        &[8],
    );
}

#[test]
fn r70_a_column_becomes_a_custom_field_when_it_is_mapped() {
    let store = empty();
    let town = CsvField::parse("fields.town").unwrap();
    let options = CsvOptions::default().map("City", town);
    let (done, _) = import(&store, include_bytes!("files/yespo.csv"), options);
    assert_eq!(done.ignored_columns, [0_usize; 0]);
    holds(
        &store,
        &["1 crm-1 380500000001 ann@example.com Ann Example uk Europe/Kyiv town=Kyiv"],
    );
}
