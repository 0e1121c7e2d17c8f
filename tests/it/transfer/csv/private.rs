//! R52: no text of a source is in an error, in `Debug`, or in a restart point.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use contact_store::transfer::{
    CsvError, CsvField, CsvOptionError, CsvOptions, HeaderError, RowError, TransferError,
    import_csv,
};

use super::empty;
use crate::privacy::shown::{DIGITS, WORD, assert_no_canary};

#[track_caller]
fn hides(value: &(impl Debug + ?Sized)) {
    assert_no_canary("a value", &format!("{value:?} {value:#?}"));
}

#[track_caller]
fn error_hides(error: &(dyn StdError + 'static)) {
    let mut error = Some(error);
    while let Some(cause) = error {
        assert_no_canary("an error", &format!("{cause:?} {cause:#?} {cause}"));
        error = cause.source();
    }
}

#[test]
fn r52_an_import_shows_nothing_of_its_source() {
    let source = format!(
        "{WORD};email;phone;externalCustomerId;customFields;Own\n\
         {WORD};{WORD};{DIGITS};{WORD};{{}};{WORD}\n\
         {WORD};{WORD}@{WORD}.com;3.{DIGITS}E+11;{WORD};;\n\
         {WORD};{WORD}@{WORD}.com;'{DIGITS};{WORD};;\n\
         {WORD};{WORD}@{WORD}.com;{DIGITS}0;{WORD};;\n\
         {WORD};{WORD}@{WORD}.com;38050{DIGITS};{WORD};{{\"{WORD} {DIGITS}\":[]}};\n\
         {WORD};{WORD}@{WORD}.com;38050{DIGITS};{WORD};{WORD};\n\
         {WORD};{WORD}@{WORD}.com;38050{DIGITS};{WORD};;{WORD}\n\
         {WORD}2;{WORD}@{WORD}.com;38050{DIGITS};{WORD}2;;{WORD}\n\
         {WORD}\n\
         \"{WORD}\n"
    );
    let own = CsvField::Custom(WORD.to_owned());
    hides(&own);
    let options = CsvOptions::default().map("own", own);
    let options = options.calling_code("380").unwrap();
    hides(&options);
    let mut reasons = Vec::new();
    let done = import_csv(
        &empty(),
        source.as_bytes(),
        options,
        |rejected| {
            hides(&rejected);
            error_hides(rejected.error);
            reasons.push(rejected.reason);
            ControlFlow::Continue(())
        },
        |progress| {
            hides(&progress);
            assert_no_canary("a restart point", &progress.restart.to_string());
            hides(
                &progress
                    .restart
                    .to_string()
                    .parse::<contact_store::transfer::RestartPoint>(),
            );
            ControlFlow::Continue(())
        },
    );
    hides(&done.unwrap());
    assert_eq!(
        reasons,
        [
            "digitCount",
            "scientificNotation",
            "leadingApostrophe",
            "digitCount",
            "wrongType",
            "syntax",
            "conflict",
            "cellCount",
            "unclosedQuote",
        ]
    );
}

#[test]
fn r52_every_error_of_csv_was_looked_at() {
    use contact_store::Field;
    let field = Field::Phone;
    let rows = [
        CsvError::NotText,
        CsvError::UnclosedQuote,
        CsvError::CellCount {
            found: 1,
            expected: 2,
        },
        CsvError::ScientificNotation { field },
        CsvError::LeadingApostrophe { field },
        CsvError::MissingZero { field },
    ];
    for error in rows {
        error_hides(&RowError::Csv(error));
    }
    let headers = [
        HeaderError::Missing,
        HeaderError::NotText,
        HeaderError::UnclosedQuote,
        HeaderError::TooLong,
        HeaderError::TooManyColumns,
        HeaderError::NotMapped { mapping: 1 },
        HeaderError::NothingToFindBy,
    ];
    for error in headers {
        error_hides(&TransferError::Header(error));
    }
    let failed = io::Error::other("the disk is gone");
    error_hides(&TransferError::Reading(Arc::new(failed)));
    let options = CsvOptions::default;
    let refused = [
        CsvField::parse(WORD).unwrap_err(),
        CsvField::parse(&format!("fields.{WORD}\u{200B}")).unwrap_err(),
        options().calling_code(DIGITS).unwrap_err(),
        options().encoding(WORD).unwrap_err(),
        options().delimiter('k').unwrap_err(),
        contact_store::transfer::EmptyCell::parse(WORD).unwrap_err(),
    ];
    for error in &refused {
        error_hides(error);
    }
    assert!(matches!(refused[1], CsvOptionError::CustomFieldName(_)));
}
