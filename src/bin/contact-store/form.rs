//! The two forms of an export: NDJSON and CSV.

use std::path::Path;

use crate::failure::Failure;

/// What an export is, and an import reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A whole store.
    Ndjson,
    /// Contacts.
    Csv,
}

impl Form {
    /// The form that is named, or else that of the file's ending.
    pub(crate) fn of(file: &Path, named: Option<&str>) -> Result<Self, Failure> {
        let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
        let ending = ending.as_deref().and_then(|ending| ending.to_str());
        match (named, ending) {
            (Some("ndjson"), _) | (None, Some("ndjson")) => Ok(Form::Ndjson),
            (Some("csv"), _) | (None, Some("csv")) => Ok(Form::Csv),
            (Some(_), _) => Err(Failure::usage("--format is one of ndjson, csv")),
            (None, _) => Err(Failure::usage(
                "the file does not end in .ndjson or .csv: --format is required",
            )),
        }
    }
}

/// Whether a file is standard input or output.
pub(crate) fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}
