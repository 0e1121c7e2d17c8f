//! Imports of CSV: only a rejected row itself holds what is of a person.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use contact_store::transfer::{
    CsvError, CsvField, CsvOptionError, CsvOptions, EmptyCell, HeaderError, RowError,
    TransferError, import_csv,
};
use contact_store::{ContactStore, Field, Options};

use super::shown::{DIGITS, Shown, WORD};

/// A source with canaries in every cell, and all that is told of it.
pub fn values(shown: &mut Shown) {
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
    shown.value(&own);
    shown.value(&EmptyCell::Erase);
    let options = CsvOptions::default().map("own", own);
    let options = options.calling_code("380").unwrap();
    shown.value(&options);
    let mut reasons = Vec::new();
    let told = std::cell::RefCell::new(&mut *shown);
    let done = import_csv(
        &ContactStore::open_in_memory(Options::default()).unwrap(),
        source.as_bytes(),
        options,
        |rejected| {
            told.borrow_mut().value(&rejected);
            told.borrow_mut().row_error(rejected.error);
            reasons.push(rejected.reason);
            ControlFlow::Continue(())
        },
        |progress| {
            told.borrow_mut().value(&progress);
            told.borrow_mut().displayed(&progress.restart);
            ControlFlow::Continue(())
        },
    );
    shown.value(&done.unwrap());
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

/// Every error of CSV.
pub fn errors(shown: &mut Shown) {
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
        shown.row_error(&RowError::Csv(error));
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
        shown.transfer_error(&TransferError::Header(error));
    }
    let failed = io::Error::other("the disk is gone");
    shown.transfer_error(&TransferError::Reading(Arc::new(failed)));
    let options = CsvOptions::default;
    let refused = [
        CsvField::parse(WORD).unwrap_err(),
        CsvField::parse(&format!("fields.{WORD}\u{200B}")).unwrap_err(),
        options().calling_code(DIGITS).unwrap_err(),
        options().encoding(WORD).unwrap_err(),
        options().delimiter('k').unwrap_err(),
        EmptyCell::parse(WORD).unwrap_err(),
    ];
    for error in &refused {
        shown.csv_option_error(error);
    }
    assert!(matches!(refused[1], CsvOptionError::CustomFieldName(_)));
}
