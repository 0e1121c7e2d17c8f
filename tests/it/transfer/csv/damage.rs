//! Rows that are refused, each with its reason, while the others go on.

use contact_store::limits::{CSV_COLUMNS, CSV_ROW_BYTES};
use contact_store::transfer::{CsvError, CsvOptions, HeaderError, TransferError};
use contact_store::{ContactUpdate, DedupeOn, Upsert};

use super::{counts, empty, fails, holds, import, refused};
use crate::support::store_with;

/// The reason for which one cell of a column is refused; `None` when it is taken. The row before it and
/// that after it are taken.
#[track_caller]
fn reason(header: &str, cell: &str, options: CsvOptions) -> Option<&'static str> {
    let store = empty();
    let source = format!("externalCustomerId,{header}\ncrm-1,\ncrm-2,{cell}\ncrm-3,\n");
    let (done, rows) = import(&store, source.as_bytes(), options);
    assert_eq!(done.imported.rows, 3);
    assert_eq!(done.imported.created, 3 - rows.len() as u64);
    let row = format!("crm-2,{cell}");
    let reason = rows.first().map(|(_, reason, _)| *reason);
    let expected = reason.map(|reason| refused(3, reason, &row));
    assert_eq!(rows, Vec::from_iter(expected));
    reason
}

#[test]
fn r70_what_a_spreadsheet_did_to_a_number_refuses_its_row() {
    let options = CsvOptions::default;
    let ukraine = || options().calling_code("380").unwrap();
    for (header, cell, with, expected) in [
        ("phone", "3.8E+11", options(), Some("scientificNotation")),
        (
            "phone",
            "\"3,80501E+11\"",
            options(),
            Some("scientificNotation"),
        ),
        ("contactId", "1E+15", options(), Some("scientificNotation")),
        (
            "phone",
            "'+380500000001",
            options(),
            Some("leadingApostrophe"),
        ),
        ("phone", "'0500000001", ukraine(), Some("leadingApostrophe")),
        ("contactId", "'12", options(), Some("leadingApostrophe")),
        ("phone", "0500000001", options(), Some("leadingZero")),
        ("phone", "0500000001", ukraine(), None),
        ("phone", "500000001", ukraine(), Some("missingZero")),
        ("phone", "48123456789", ukraine(), Some("missingZero")),
        ("phone", "+48123456789", ukraine(), None),
        ("phone", "380500000001", ukraine(), None),
        ("phone", "380500000001.0", options(), Some("ambiguousMark")),
        ("phone", "=38050", options(), Some("notADigit")),
        ("phone", "00", ukraine(), Some("digitCount")),
    ] {
        assert_eq!(reason(header, cell, with), expected, "{header} {cell}");
    }
    // An id of the host's own is taken as it is, unless a spreadsheet did this to it.
    for (id, expected) in [
        ("12E5", None),
        ("0017", None),
        ("1.2E+05", Some("scientificNotation")),
        ("'0017", Some("leadingApostrophe")),
    ] {
        let source = format!("externalCustomerId\n{id}\n");
        let (_, rows) = import(&empty(), source.as_bytes(), options());
        let found = rows.first().map(|(_, reason, _)| *reason);
        assert_eq!(found, expected, "{id}");
    }
}

#[test]
fn r70_a_row_that_a_rule_refuses_is_reported_with_its_code() {
    let options = CsvOptions::default;
    for (header, cell, expected) in [
        ("phone", "call me", "notADigit"),
        ("email", "ann", "noAtSign"),
        ("email", "mailto:ann@example.com", "notOneAddress"),
        ("contactId", "twelve", "contactIdOutOfRange"),
        ("contactId", "0", "contactIdOutOfRange"),
        ("customFields", "Kyiv", "syntax"),
        ("customFields", "[]", "wrongType"),
        ("customFields", "\"{\"\"a\"\":[]}\"", "wrongType"),
        ("customFields", "\"{\"\"\"\":\"\"x\"\"}\"", "blank"),
    ] {
        let found = reason(header, cell, options());
        assert_eq!(found, Some(expected), "{header} {cell}");
    }
    let long = "x".repeat(4_097);
    assert_eq!(reason("firstName", &long, options()), Some("tooLong"));
    assert_eq!(reason("firstName", "", options()), None);
}

#[test]
fn r42_a_conflict_refuses_its_row_and_no_other() {
    let store = empty();
    let source = "email,phone\na@example.com,380500000001\nb@example.com,380500000001\n\
                  c@example.com,380500000002\n,\nnobody,\n";
    let options = CsvOptions::default().dedupe_on(DedupeOn::Email);
    let (done, rows) = import(&store, source.as_bytes(), options);
    assert_eq!(counts(&done.imported), [4, 2, 0, 0, 2]);
    assert_eq!(
        rows,
        [
            refused(3, "conflict", "b@example.com,380500000001"),
            refused(6, "noAtSign", "nobody,"),
        ]
    );
    holds(
        &store,
        &[
            "1 380500000001 a@example.com",
            "2 380500000002 c@example.com",
        ],
    );
}

#[test]
fn r70_rows_that_are_not_csv_of_the_header_are_refused_alone() {
    let store = empty();
    let source = b"email,firstName\r\n\
        a@example.com,Ann\r\n\
        b@example.com\r\n\
        c@example.com,Cid,more\r\n\
        d@example.com,\xC3\r\n\
        \r\n\
        ,\r\n\
        \"e@example.com\",\"E\r\n\
        f@example.com,Fay\r\n";
    let (done, rows) = import(&store, source, CsvOptions::default());
    assert_eq!(counts(&done.imported), [6, 2, 0, 0, 4]);
    assert_eq!(
        rows,
        [
            refused(3, "cellCount", "b@example.com"),
            refused(4, "cellCount", "c@example.com,Cid,more"),
            refused(5, "notText", "d@example.com,\u{FFFD}"),
            refused(8, "unclosedQuote", "\"e@example.com\",\"E"),
        ]
    );
    holds(&store, &["1 a@example.com Ann", "2 f@example.com Fay"]);
}

#[test]
fn r70_rows_and_headers_are_bounded() {
    let long = "x".repeat(CSV_ROW_BYTES + 1);
    let source = format!("email,firstName\na@example.com,{long}\nb@example.com,Bob\n");
    let store = empty();
    let (_, rows) = import(&store, source.as_bytes(), CsvOptions::default());
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].0, rows[0].1, rows[0].2.len()),
        (2, "rowTooLong", CSV_ROW_BYTES)
    );
    holds(&store, &["1 b@example.com Bob"]);

    let wide = format!("email{}\n", ",x".repeat(CSV_COLUMNS));
    let header = |source: &[u8]| match fails(source, CsvOptions::default()) {
        TransferError::Header(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(header(wide.as_bytes()), HeaderError::TooManyColumns);
    assert_eq!(header(long.as_bytes()), HeaderError::TooLong);
    assert_eq!(header(b""), HeaderError::Missing);
    assert_eq!(header(b"\n\r\n"), HeaderError::Missing);
    assert_eq!(
        header(b"email,\"name\na@example.com,Ann"),
        HeaderError::UnclosedQuote
    );
    assert_eq!(
        header(b"email,\xFF\na@example.com,Ann"),
        HeaderError::NotText
    );
    assert_eq!(
        header(b"First Name,City\nAnn,Kyiv"),
        HeaderError::NothingToFindBy
    );
    assert_eq!(
        header(b"ann@example.com,Ann\n"),
        HeaderError::NothingToFindBy
    );
}

#[test]
fn a_row_whose_text_no_request_may_have_is_refused_and_the_others_are_written() {
    let (store, _) = store_with(|options| {
        options.limits.request_text_bytes = 3_000;
    });
    let name = |length| "x".repeat(length);
    let source = format!(
        "email,firstName,lastName\na@example.com,{},\nb@example.com,{},{}\nc@example.com,{},\nd@example.com,Dan,\n",
        name(1_400),
        name(2_000),
        name(2_000),
        name(2_900)
    );
    let (done, rows) = import(&store, source.as_bytes(), CsvOptions::default());
    assert_eq!(counts(&done.imported), [4, 3, 0, 0, 1]);
    assert_eq!((rows[0].0, rows[0].1), (3, "limitExceeded"));
}

#[test]
fn a_refused_row_names_what_is_wrong_without_its_value() {
    let error = CsvError::CellCount {
        found: 3,
        expected: 2,
    };
    assert_eq!(error.to_string(), "the row has 3 cells, the header 2");
}

#[test]
fn r41_rows_go_through_upsert_beside_other_writers() {
    let store = empty();
    let source = "email,firstName\na@example.com,Ann\n";
    let bob = ContactUpdate::new().email("b@example.com");
    let other = store.upsert(Upsert::new(DedupeOn::Email).contact(bob));
    let (done, _) = import(&store, source.as_bytes(), CsvOptions::default());
    other.wait().unwrap();
    assert_eq!(counts(&done.imported), [1, 1, 0, 0, 0]);
}
