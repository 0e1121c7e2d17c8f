//! Whatever a program may put into its log, searched for canaries.

use std::any;
use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};

use contact_store::transfer::{CsvOptionError, RowError, TransferError};
use contact_store::{
    Decision, EntryError, Error, Explanation, Fault, FieldError, JsonError, OpenError,
    StorageError, wire,
};
use serde::Serialize;

/// In every text that a test hands to a store.
pub const WORD: &str = "kanarejka";
/// In every phone and in every other number.
pub const DIGITS: &str = "0009917";
/// The canonical phone.
pub const PHONE: u64 = 380_500_009_917;

/// What was looked at: names of types, and of variants of errors such as `Fault::Blank`.
#[derive(Default)]
pub struct Shown {
    pub types: BTreeSet<String>,
    pub variants: BTreeSet<String>,
}

impl Shown {
    /// `Debug`, plain and pretty.
    #[track_caller]
    pub fn value<T: Debug>(&mut self, value: &T) {
        self.types.insert(name_of::<T>());
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert_no_canary(&name_of::<T>(), &text);
        }
    }

    /// `Debug` and `Display`.
    #[track_caller]
    pub fn displayed<T: Debug + Display>(&mut self, value: &T) {
        self.value(value);
        assert_no_canary(&name_of::<T>(), &format!("{value} {value:#}"));
    }

    /// `Debug`, `Display`, and those of all causes.
    #[track_caller]
    fn caused<T: StdError>(&mut self, error: &T) {
        self.displayed(error);
        let mut cause = error.source();
        while let Some(error) = cause {
            assert_no_canary("a cause", &format!("{error:?} {error:#?} {error}"));
            cause = error.source();
        }
    }

    /// An error that is an enum, under the name of its variant.
    #[track_caller]
    fn variant<T: StdError>(&mut self, error: &T) {
        self.caused(error);
        let shown = format!("{error:?}");
        let variant = shown.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        self.variants
            .insert(format!("{}::{variant}", name_of::<T>()));
    }

    /// The error of a call, all that it holds, and its JSON.
    #[track_caller]
    pub fn error(&mut self, error: &Error) {
        self.variant(error);
        self.json(&wire::error(error));
        self.json(&wire::error_at_line(error, 1));
        assert_no_canary("a code", wire::code(error));
        match error {
            Error::EntryRefused { error, .. } => self.entry_error(error),
            Error::Field(error) => self.field_error(error),
            Error::Recipient(error) => self.variant(error),
            Error::Merge(error) => self.variant(error),
            Error::LimitExceeded(error) => {
                self.caused(error);
                self.value(&error.limit);
            }
            Error::Json(error) => self.json_error(error),
            Error::Indeterminate { cause, .. } => self.storage_error(cause),
            Error::CloseIncomplete(cause) | Error::Storage(cause) => self.storage_error(cause),
            Error::Open(error) => self.open_error(error),
            Error::Copy(error) => self.variant(error),
            _ => {}
        }
    }

    /// The error of an export or an import.
    #[track_caller]
    pub fn transfer_error(&mut self, error: &TransferError) {
        self.variant(error);
        match error {
            TransferError::Store(error) => self.error(error),
            TransferError::Header(error) => self.variant(error),
            _ => {}
        }
    }

    /// The error of an option of an import.
    #[track_caller]
    pub fn csv_option_error(&mut self, error: &CsvOptionError) {
        self.variant(error);
    }

    /// The error of a row, and all that it holds.
    #[track_caller]
    pub fn row_error(&mut self, error: &RowError) {
        self.variant(error);
        assert_no_canary("a reason", error.reason());
        match error {
            RowError::Entry(error) => self.entry_error(error),
            RowError::Misfit(misfit) => self.variant(misfit),
            RowError::Csv(error) => self.variant(error),
            _ => {}
        }
    }

    /// The error of an entry, all that it holds, and its JSON, also where a decision shows it.
    #[track_caller]
    pub fn entry_error(&mut self, error: &EntryError) {
        self.variant(error);
        assert_no_canary("a code", wire::entry_code(error));
        self.json(&wire::reports_recorded(&[Err(error.clone())]));
        self.value(&Decision::Refuse(error.clone()));
        match error {
            EntryError::Field(error) => self.field_error(error),
            EntryError::LimitExceeded(error) => self.caused(error),
            EntryError::Json(error) => self.json_error(error),
            _ => {}
        }
    }

    #[track_caller]
    pub fn field_error(&mut self, error: &FieldError) {
        self.caused(error);
        self.variant(error.fault());
        self.displayed(&error.field());
    }

    #[track_caller]
    pub fn fault(&mut self, fault: &Fault) {
        self.variant(fault);
    }

    #[track_caller]
    fn json_error(&mut self, error: &JsonError) {
        self.caused(error);
        self.variant(&error.fault);
    }

    #[track_caller]
    pub fn open_error(&mut self, error: &OpenError) {
        self.variant(error);
        match error {
            OpenError::LimitTooHigh(error) => self.caused(error),
            OpenError::LimitZero(error) => self.caused(error),
            OpenError::Database(error) => self.variant(error),
            _ => {}
        }
    }

    #[track_caller]
    pub fn storage_error(&mut self, error: &StorageError) {
        self.variant(error);
    }

    #[track_caller]
    pub fn explanation(&mut self, explanation: &Explanation) {
        self.value(explanation);
        self.json(&wire::explanation(explanation));
    }

    /// An answer that shows nothing of a person.
    #[track_caller]
    pub fn json(&mut self, answer: &impl Serialize) {
        assert_no_canary("JSON", &serde_json::to_string(answer).unwrap());
    }
}

/// The name of a type without its path and parameters.
fn name_of<T>() -> String {
    let path = any::type_name::<T>().split('<').next().unwrap();
    path.rsplit("::").next().unwrap().to_owned()
}

/// The text holds no canary.
#[track_caller]
pub fn assert_no_canary(of: &str, text: &str) {
    assert_eq!(canary_in(text), None, "{of}: {text}");
}

/// The canary in a text: as it is, as a list of bytes, or in hexadecimal.
fn canary_in(text: &str) -> Option<String> {
    let text: String = text.to_lowercase().split_whitespace().collect();
    let forms = [WORD, DIGITS].into_iter().flat_map(|canary| {
        let bytes = canary.as_bytes();
        let listed: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        [canary.to_owned(), listed.join(","), hex]
    });
    let number = [format!("{PHONE:x}"), format!("{PHONE:b}")];
    forms.chain(number).find(|form| text.contains(form))
}

#[test]
fn canaries_are_found_in_every_form() {
    for (text, found) in [
        ("Some(\"Ann.Kanarejka\")", Some("kanarejka")),
        ("\"kana rejka\"", Some("kanarejka")),
        (
            "[1, 107, 97, 110, 97, 114, 101, 106, 107, 97]",
            Some("107,97,110,97,114,101,106,107,97"),
        ),
        ("0x6B616E6172656A6B61", Some("6b616e6172656a6b61")),
        ("380500009917", Some("0009917")),
        ("0x58979163BD", Some("58979163bd")),
        ("Phone(<12 digits>) kanareika 9917", None),
    ] {
        assert_eq!(canary_in(text).as_deref(), found, "{text}");
    }
}
