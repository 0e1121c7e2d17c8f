//! Mappings, empty cells, how contacts are found, calling codes, several values.

use contact_store::DedupeOn;
use contact_store::transfer::{CsvField, CsvOptions, EmptyCell, HeaderError, TransferError};

use super::{counts, empty, fails, holds, import, refused};

#[test]
fn r70_a_mapping_goes_before_known_headers() {
    let store = empty();
    let source = "Email,Mobile ,Phone,Tel\nann@example.com,380500000001,380500000002,380500000003\n\
                  bob@example.com,,380500000005,380500000006\n";
    let options = CsvOptions::default()
        .map("mobile", CsvField::Phone)
        .map("TEL", CsvField::Phone)
        .map("Phone", CsvField::Custom("phone".to_owned()));
    let (done, _) = import(&store, source.as_bytes(), options);
    assert_eq!(done.imported.more_values, 1);
    assert_eq!((done.columns, done.ignored_columns), (4, vec![]));
    holds(
        &store,
        &[
            "1 380500000001 ann@example.com phone=380500000002",
            "2 380500000006 bob@example.com phone=380500000005",
        ],
    );
    let options = CsvOptions::default()
        .map("Email", CsvField::Email)
        .map("Fax", CsvField::Phone);
    match fails(source.as_bytes(), options) {
        TransferError::Header(error) => assert_eq!(error, HeaderError::NotMapped { mapping: 2 }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r1_r42_an_empty_cell_keeps_the_value_or_erases_it() {
    let store = empty();
    let full = "externalCustomerId,phone,email,firstName,customFields,Town\n\
                crm-1,380500000001,ann@example.com,Ann,\"{\"\"a\"\":\"\"1\"\"}\",Kyiv\n";
    let options = || {
        let town = CsvField::Custom("town".to_owned());
        CsvOptions::default().map("Town", town)
    };
    import(&store, full.as_bytes(), options());
    let before = "1 crm-1 380500000001 ann@example.com Ann a=1 town=Kyiv";
    holds(&store, &[before]);
    let blank = "externalCustomerId,phone,email,firstName,customFields,Town\ncrm-1, ,,,,\n";
    let (done, _) = import(&store, blank.as_bytes(), options());
    assert_eq!(counts(&done.imported), [1, 0, 0, 1, 0]);
    holds(&store, &[before]);
    let erase = options().empty_cells(EmptyCell::Erase);
    let (done, _) = import(&store, blank.as_bytes(), erase);
    assert_eq!(counts(&done.imported), [1, 0, 1, 0, 0]);
    holds(&store, &["1 crm-1 a=1"]);
    // A custom field goes also where the object names it null.
    let gone = "externalCustomerId,customFields\ncrm-1,\"{\"\"a\"\":null,\"\"b\"\":7}\"\n";
    import(&store, gone.as_bytes(), CsvOptions::default());
    holds(&store, &["1 crm-1 b=7"]);
}

#[test]
fn r41_the_columns_say_how_a_contact_is_found_unless_the_options_do() {
    let begin = "contactId,externalCustomerId,phone,email\n5,crm-1,380500000001,ann@example.com\n";
    for (source, dedupe_on, expected) in [
        ("contactId,email\n5,new@example.com\n", None, "updated"),
        (
            "phone,email\n380500000001,new@example.com\n",
            None,
            "updated",
        ),
        (
            "phone,email\n380500000009,ann@example.com\n",
            None,
            "updated",
        ),
        ("phone,firstName\n380500000001,Ann\n", None, "updated"),
        ("email,firstName\nann@example.com,Ann\n", None, "updated"),
        ("externalCustomerId,firstName\ncrm-1,Ann\n", None, "updated"),
        (
            "phone,email\n380500000001,new@example.com\n",
            Some(DedupeOn::Email),
            "conflict",
        ),
        ("contactId,phone\n6,380500000001\n", None, "conflict"),
        (
            "phone,email\n,new@example.com\n",
            Some(DedupeOn::Phone),
            "nothingToFindBy",
        ),
    ] {
        let store = empty();
        import(&store, begin.as_bytes(), CsvOptions::default());
        let mut options = CsvOptions::default();
        if let Some(dedupe_on) = dedupe_on {
            options = options.dedupe_on(dedupe_on);
        }
        let (done, rows) = import(&store, source.as_bytes(), options);
        match rows.first() {
            Some((_, reason, _)) => assert_eq!(*reason, expected, "{source}"),
            None => {
                assert_eq!(counts(&done.imported), [1, 0, 1, 0, 0], "{source}");
                assert_eq!(expected, "updated", "{source}");
            }
        }
    }
    let error = fails(
        b"phone\n380500000001\n",
        CsvOptions::default().dedupe_on(DedupeOn::Email),
    );
    assert!(
        matches!(error, TransferError::Header(HeaderError::NothingToFindBy)),
        "{error:?}"
    );
}

#[test]
fn r70_national_numbers_are_completed_by_a_calling_code() {
    let store = empty();
    let source = "phone\n050 000 00 01\n(050) 000-00-02\n+380 50 0000003\n00380500000004\n\
                  380500000005\n+48 123 456 789\n500000006\n";
    let options = CsvOptions::default().calling_code("+380").unwrap();
    let (_, rows) = import(&store, source.as_bytes(), options);
    assert_eq!(rows, [refused(8, "missingZero", "500000006")]);
    holds(
        &store,
        &[
            "1 380500000001",
            "2 380500000002",
            "3 380500000003",
            "4 380500000004",
            "5 380500000005",
            "6 48123456789",
        ],
    );
}

#[test]
fn r70_of_several_values_the_first_is_taken_and_the_others_are_counted() {
    let store = empty();
    let source = "email;phone;phone\n\"a@example.com, b@example.com;c@example.com\";;380500000001\n\
                  \" ::: d@example.com ::: d@example.com\";\"380500000002;380500000003\";380500000002\n";
    let options = CsvOptions::default().delimiter(';').unwrap();
    let (done, _) = import(&store, source.as_bytes(), options);
    assert_eq!(done.imported.more_values, 3);
    holds(
        &store,
        &[
            "1 380500000001 a@example.com",
            "2 380500000002 d@example.com",
        ],
    );
}
