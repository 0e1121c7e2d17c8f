//! Why an export or import ended early, and why a row was refused.
//!
//! No text of a source is passed on (R52).

use std::io;
use std::sync::Arc;

use crate::advice::Advice;
use crate::error::{EntryError, Error};
use crate::operations::take_over::{Misfit, Refusal};
use crate::wire;

use super::csv::{CsvError, HeaderError};

/// Why an export or an import ended early.
///
/// **Was anything written?** After an error of an import, everything up to the last progress is in
/// the store, and perhaps up to two batches more. The import can go on from the restart point of that
/// progress.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Reading the source failed.
    #[error("reading the source failed ({})", .0.kind())]
    Reading(#[source] Arc<io::Error>),
    /// Writing the export failed. What was written of it is not complete.
    #[error("writing the export failed ({})", .0.kind())]
    Writing(#[source] Arc<io::Error>),
    /// The source does not begin as an export of a contact store. Nothing was written.
    #[error("the source does not begin as an export of a contact store")]
    NotAnExport,
    /// A newer version of this crate wrote the source. Nothing was written.
    #[error("the source has version {found}, the newest known is {known}")]
    NewerVersion {
        /// The version of the source.
        found: u64,
        /// The newest version that this version of the crate knows.
        known: u64,
    },
    /// The source ends before its last line: it was cut off.
    #[error("the source is cut off after line {lines}: its last line is missing")]
    CutOff {
        /// The lines that there are.
        lines: u64,
    },
    /// The last line of the source says that it has another number of lines.
    #[error("the source has {found} lines before the last, which says {expected}")]
    LineCount {
        /// The lines before the last.
        found: u64,
        /// What the last line says.
        expected: u64,
    },
    /// The source goes on after its last line.
    #[error("the source goes on in line {line}, after its last line")]
    AfterEnd {
        /// The line, counted from 1.
        line: u64,
    },
    /// The header of a CSV source cannot be used. Nothing was written.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The store is not empty, and there is no restart point. Nothing was written.
    #[error("the store is not empty")]
    NotEmpty,
    /// The restart point is of another source, or of a source that changed since. Nothing was
    /// written.
    #[error("the restart point is of another source")]
    OtherSource,
    /// The store is not the one that the interrupted import left: it was written to since, or it is
    /// another one. Nothing was written.
    #[error("the store is not as the interrupted import left it")]
    StoreChanged,
    /// The caller's function cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// Reading or writing the store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl TransferError {
    /// Returns what a caller can do about the error. To try an import again is to go on from its last
    /// restart point.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            TransferError::Reading(_) | TransferError::Writing(_) | TransferError::Cancelled => {
                Advice::TryAgain
            }
            TransferError::NotAnExport
            | TransferError::NewerVersion { .. }
            | TransferError::CutOff { .. }
            | TransferError::LineCount { .. }
            | TransferError::AfterEnd { .. }
            | TransferError::Header(_)
            | TransferError::NotEmpty
            | TransferError::OtherSource
            | TransferError::StoreChanged => Advice::MendTheCall,
            TransferError::Store(error) => error.advice(),
        }
    }
}

/// Why a row was refused. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The row is not of the form that it must have, or a rule refuses it.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The row does not fit the store that it is imported into.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The row has too many bytes.
    #[error("the row has over {most} bytes")]
    TooLong {
        /// The most bytes that it may have.
        most: u64,
    },
    /// The row is not CSV that can be taken.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

impl From<Refusal> for RowError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Entry(error) => RowError::Entry(error),
            Refusal::Misfit(misfit) => RowError::Misfit(misfit),
        }
    }
}

impl RowError {
    /// Returns the reason as a stable code: one of those of
    /// [`wire::entry_code`](crate::wire::entry_code), or one of these.
    ///
    /// | code | means |
    /// | --- | --- |
    /// | `rowTooLong` | the row has too many bytes |
    /// | `unknownApp` | it names an app that is not connected |
    /// | `unknownSubscriber` | no contact in the store holds the token of the subscriber |
    /// | `differs` | the store has such a row with other values |
    /// | `tokenConflict` | the token belongs to another subscriber, or the subscriber to another token |
    /// | `tokenRepeated` | the card has a token twice |
    /// | `notGivenOut` | a number is beyond the last that was given out |
    /// | `notMerged` | the id of a merged contact is that of a contact, or was never in use |
    /// | `unknownContact` | there is no contact that the merged one could be in |
    /// | `outOfOrder` | rows of a later kind came before |
    /// | `notText` | CSV: the row is not text in the encoding of the source |
    /// | `unclosedQuote` | CSV: a quoted cell does not end |
    /// | `cellCount` | CSV: the row has more or fewer cells than the header |
    /// | `scientificNotation` | CSV: a spreadsheet has shortened a number |
    /// | `leadingApostrophe` | CSV: an apostrophe stands before a number |
    /// | `missingZero` | CSV: a phone is neither international nor begins with a zero |
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            RowError::Entry(error) => wire::entry_code(error),
            RowError::Misfit(misfit) => match misfit {
                Misfit::UnknownApp { .. } => "unknownApp",
                Misfit::UnknownSubscriber(_) => "unknownSubscriber",
                Misfit::Differs => "differs",
                Misfit::TokenConflict(_) => "tokenConflict",
                Misfit::TokenRepeated(_) => "tokenRepeated",
                Misfit::NotGivenOut { .. } => "notGivenOut",
                Misfit::NotMerged(_) => "notMerged",
                Misfit::UnknownContact(_) => "unknownContact",
                Misfit::OutOfOrder => "outOfOrder",
            },
            RowError::TooLong { .. } => "rowTooLong",
            RowError::Csv(error) => error.reason(),
        }
    }
}

/// Every code that a row may be refused with.
const REASONS: &[&str] = &[
    "syntax",
    "notUtf8",
    "byteOrderMark",
    "wrongType",
    "missingMember",
    "repeatedMember",
    "unknownMember",
    "notOneOf",
    "secondsNotMilliseconds",
    "loneSurrogate",
    "blank",
    "tooLong",
    "forbiddenCharacter",
    "placeholder",
    "contactIdOutOfRange",
    "notADigit",
    "misplacedPlus",
    "digitCount",
    "leadingZero",
    "ambiguousZero",
    "ambiguousMark",
    "noAtSign",
    "localPartLength",
    "localPartWhiteSpace",
    "notOneAddress",
    "domainLength",
    "domainLabel",
    "nonAsciiDomain",
    "idna",
    "noIdentifier",
    "unknownContactId",
    "contactIdErased",
    "oneOfTokenAndSubscriber",
    "nothingToFindBy",
    "contactNotFound",
    "contactExists",
    "conflict",
    "suppressed",
    "limitExceeded",
    "contactIdsExhausted",
    "rowTooLong",
    "unknownApp",
    "unknownSubscriber",
    "differs",
    "tokenConflict",
    "tokenRepeated",
    "notGivenOut",
    "notMerged",
    "unknownContact",
    "outOfOrder",
    "notText",
    "unclosedQuote",
    "cellCount",
    "scientificNotation",
    "leadingApostrophe",
    "missingZero",
];

/// The code that a text is.
pub(super) fn reason(text: &str) -> Option<&'static str> {
    REASONS.iter().find(|code| **code == text).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_an_entry_is_a_reason() {
        let table = include_str!("../wire/mod.rs").lines();
        let rows = table.filter_map(|line| line.strip_prefix("//! | `")?.split_once(" | "));
        let mut seen = 0;
        for (codes, rest) in
            rows.filter(|(_, rest)| rest.starts_with("request, entry") || rest.starts_with("entry"))
        {
            for code in codes.split(", ").map(|code| code.trim_matches('`')) {
                assert_eq!(reason(code), Some(code), "{rest}");
                seen = i32::saturating_add(seen, 1);
            }
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn an_error_of_the_store_keeps_its_advice() {
        let rows = [
            (TransferError::Cancelled, Advice::TryAgain),
            (TransferError::NotEmpty, Advice::MendTheCall),
            (TransferError::Store(Error::NeedsReopen), Advice::Reopen),
            (TransferError::Store(Error::Closed), Advice::Stop),
        ];
        for (error, advice) in rows {
            assert_eq!(error.advice(), advice, "{error}");
        }
    }
}
