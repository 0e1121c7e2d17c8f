//! How a CSV source is read, and which field a column is for.
//!
//! This module reads no source.

use std::fmt;
use std::str::FromStr;

use encoding_rs::Encoding;

use crate::model::fault::Field;
use crate::model::fields;
use crate::rules::DedupeOn;

use super::super::restart::{Fingerprint, RestartPoint};
use super::cells::CallingCode;
use super::error::CsvOptionError;

/// The field that a column is for.
///
/// `Debug` does not show the name of a custom field: a mistyped mapping may have a value in its place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CsvField {
    /// The contact's id ([R2](crate::rulebook#r2)). An empty cell is as if the row did not name it.
    ContactId,
    /// The host's own id of a person ([R3](crate::rulebook#r3)).
    ExternalCustomerId,
    /// A phone ([R4](crate::rulebook#r4)).
    Phone,
    /// An email ([R5](crate::rulebook#r5)).
    Email,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Language.
    LanguageCode,
    /// Time zone.
    TimeZone,
    /// All custom fields, as one JSON object of texts by name. An empty cell changes none.
    CustomFields,
    /// The custom field of this name.
    Custom(String),
}

impl CsvField {
    /// Reads `contactId`, `externalCustomerId`, `phone`, `email`, `firstName`, `lastName`,
    /// `languageCode`, `timeZone`, `customFields`, or `fields.` and the name of a custom field.
    ///
    /// ```
    /// use contact_store::transfer::CsvField;
    ///
    /// assert_eq!(CsvField::parse("phone"), Ok(CsvField::Phone));
    /// assert_eq!(CsvField::parse("fields.city"), Ok(CsvField::Custom("city".to_owned())));
    /// ```
    ///
    /// # Errors
    ///
    /// [`CsvOptionError::Field`] when it is none of them; [`CsvOptionError::CustomFieldName`].
    pub fn parse(text: &str) -> Result<Self, CsvOptionError> {
        if let Some(name) = text.strip_prefix("fields.") {
            fields::check_name(name).map_err(CsvOptionError::CustomFieldName)?;
            return Ok(CsvField::Custom(name.to_owned()));
        }
        let known = CsvField::FIXED.iter().find(|field| field.as_str() == text);
        known.cloned().ok_or(CsvOptionError::Field)
    }

    /// Those whose column has a name of its own, in the order of an export.
    pub(super) const FIXED: &'static [CsvField] = &[
        CsvField::ContactId,
        CsvField::ExternalCustomerId,
        CsvField::Phone,
        CsvField::Email,
        CsvField::FirstName,
        CsvField::LastName,
        CsvField::LanguageCode,
        CsvField::TimeZone,
        CsvField::CustomFields,
    ];

    /// The header of its column in an export.
    pub(super) fn as_str(&self) -> &str {
        match self {
            CsvField::ContactId => Field::ContactId.as_str(),
            CsvField::ExternalCustomerId => Field::ExternalCustomerId.as_str(),
            CsvField::Phone => Field::Phone.as_str(),
            CsvField::Email => Field::Email.as_str(),
            CsvField::FirstName => Field::FirstName.as_str(),
            CsvField::LastName => Field::LastName.as_str(),
            CsvField::LanguageCode => Field::LanguageCode.as_str(),
            CsvField::TimeZone => Field::TimeZone.as_str(),
            CsvField::CustomFields => "customFields",
            CsvField::Custom(name) => name,
        }
    }
}

impl fmt::Debug for CsvField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CsvField::Custom(name) => write!(f, "Custom(<{} bytes>)", name.len()),
            fixed => f.write_str(fixed.as_str()),
        }
    }
}

impl FromStr for CsvField {
    type Err = CsvOptionError;

    fn from_str(text: &str) -> Result<Self, CsvOptionError> {
        CsvField::parse(text)
    }
}

/// What an empty cell does to the value on the card.
///
/// An identifier that is blank, and not only one that is empty, counts as an empty cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EmptyCell {
    /// The value stays ([R1](crate::rulebook#r1)). The default.
    #[default]
    Keep,
    /// The value is removed ([R42](crate::rulebook#r42)). The contact id stays, and so do custom fields
    /// without a column of their own.
    Erase,
}

impl EmptyCell {
    /// Reads `keep` or `erase`.
    ///
    /// # Errors
    ///
    /// [`CsvOptionError::EmptyCell`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, CsvOptionError> {
        match text {
            "keep" => Ok(EmptyCell::Keep),
            "erase" => Ok(EmptyCell::Erase),
            _ => Err(CsvOptionError::EmptyCell),
        }
    }
}

/// How contacts are read from CSV. The default reads what [`export_csv`](super::export_csv) writes, and
/// what the [programs](crate::transfer#columns) whose headers are known export.
///
/// `Debug` does not show headers: what should be a header may be a value.
///
/// ```
/// use contact_store::DedupeOn;
/// use contact_store::transfer::{CsvField, CsvOptions, EmptyCell};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = CsvOptions::default()
///     .map("Mobile", CsvField::Phone)
///     .map("Town", CsvField::parse("fields.city")?)
///     .dedupe_on(DedupeOn::Email)
///     .empty_cells(EmptyCell::Erase)
///     .calling_code("380")?
///     .encoding("windows-1251")?
///     .delimiter(';')?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct CsvOptions {
    pub(super) mappings: Vec<(String, CsvField)>,
    pub(super) dedupe_on: Option<DedupeOn>,
    pub(super) empty: EmptyCell,
    pub(super) calling_code: Option<CallingCode>,
    pub(super) encoding: Option<&'static Encoding>,
    pub(super) delimiter: Option<u8>,
    pub(super) batch_rows: Option<u32>,
    pub(super) from: Option<RestartPoint>,
}

impl CsvOptions {
    /// Says which field the columns with this header are for.
    ///
    /// Headers are compared without white space around them and without regard to case. Columns whose
    /// headers are known otherwise are not used for a field that is mapped.
    #[must_use]
    pub fn map(mut self, header: impl Into<String>, field: CsvField) -> Self {
        self.mappings.push((header.into(), field));
        self
    }

    /// Sets how a row's contact is found ([R41](crate::rulebook#r41)).
    ///
    /// Without it the columns decide: by the contact id if there is such a column; otherwise by phone
    /// and then email, or by whichever of the two there is; otherwise by the external customer id, which
    /// goes first in any case.
    #[must_use]
    pub fn dedupe_on(mut self, dedupe_on: DedupeOn) -> Self {
        self.dedupe_on = Some(dedupe_on);
        self
    }

    /// Sets what an empty cell does.
    #[must_use]
    pub fn empty_cells(mut self, empty: EmptyCell) -> Self {
        self.empty = empty;
        self
    }

    /// Sets the calling code of the country whose national numbers are completed: under `380`,
    /// `050 123 45 67` is `+380501234567`.
    ///
    /// A number that begins with `+`, `00` or the calling code is international and stays as it is. Of
    /// one that begins with a single `0`, that zero is replaced by `+` and the code. Any other number is
    /// refused ([`CsvError::MissingZero`](super::CsvError::MissingZero)).
    ///
    /// # Errors
    ///
    /// [`CsvOptionError::CallingCode`] when it is not 1 to 3 digits of which the first is not 0. A `+`
    /// may stand before them.
    pub fn calling_code(mut self, code: &str) -> Result<Self, CsvOptionError> {
        let digits = code.strip_prefix('+').unwrap_or(code);
        let valid = (1..=3).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if !valid {
            return Err(CsvOptionError::CallingCode);
        }
        self.calling_code = Some(CallingCode(digits.to_owned()));
        Ok(self)
    }

    /// Sets the encoding of a source without a byte order mark, by a label of the
    /// [Encoding Standard](https://encoding.spec.whatwg.org/#names-and-labels), such as `windows-1251`.
    /// Without it that is UTF-8. A mark decides in any case: of UTF-8, UTF-16LE or UTF-16BE.
    ///
    /// # Errors
    ///
    /// [`CsvOptionError::Encoding`] when the label is not known.
    pub fn encoding(mut self, label: &str) -> Result<Self, CsvOptionError> {
        let encoding = Encoding::for_label_no_replacement(label.as_bytes());
        self.encoding = Some(encoding.ok_or(CsvOptionError::Encoding)?);
        Ok(self)
    }

    /// Sets the character between cells. Without it, it is that of `,`, `;` and the tab by which the
    /// header has the most known columns, or else the most columns.
    ///
    /// # Errors
    ///
    /// [`CsvOptionError::Delimiter`] when it is not ASCII, or is a quote, a letter, a digit or the end
    /// of a line.
    pub fn delimiter(mut self, delimiter: char) -> Result<Self, CsvOptionError> {
        let taken =
            delimiter.is_ascii_alphanumeric() || ['"', '\r', '\n', '\0'].contains(&delimiter);
        match u8::try_from(delimiter) {
            Ok(byte) if byte.is_ascii() && !taken => self.delimiter = Some(byte),
            _ => return Err(CsvOptionError::Delimiter),
        }
        Ok(self)
    }

    /// Sets the most rows in one request. Without it, and in any case, that is what a request may have
    /// ([`Limits::entries_per_request`](crate::Limits)). 0 counts as 1.
    #[must_use]
    pub fn batch_rows(mut self, rows: u32) -> Self {
        self.batch_rows = Some(rows);
        self
    }

    /// Goes on with an import that was interrupted. The source must be the same, read from its beginning,
    /// the store as the interrupted import left it, and the other options the same.
    #[must_use]
    pub fn restart(mut self, point: RestartPoint) -> Self {
        self.from = Some(point);
        self
    }

    /// A hash of what rows are read by. An import goes on with the same options alone.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for (header, field) in &self.mappings {
            fingerprint.add(header.as_bytes());
            let own = matches!(field, CsvField::Custom(_));
            fingerprint.add(&[u8::from(own)]);
            fingerprint.add(field.as_str().as_bytes());
        }
        let words = [
            self.dedupe_on.map_or("", DedupeOn::as_str),
            match self.empty {
                EmptyCell::Keep => "keep",
                EmptyCell::Erase => "erase",
            },
            self.calling_code.as_ref().map_or("", |code| &code.0),
            self.encoding.map_or("", Encoding::name),
        ];
        for word in words {
            fingerprint.add(word.as_bytes());
        }
        fingerprint.add(self.delimiter.as_slice());
        fingerprint
    }
}

impl fmt::Debug for CsvOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvOptions")
            .field("mappings", &self.mappings.len())
            .field("dedupe_on", &self.dedupe_on)
            .field("empty_cells", &self.empty)
            .field("calling_code", &self.calling_code)
            .field("encoding", &self.encoding.map(Encoding::name))
            .field("delimiter", &self.delimiter.map(char::from))
            .field("batch_rows", &self.batch_rows)
            .field("from", &self.from)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Fault, FieldError};

    #[test]
    fn r70_a_field_is_named_as_in_json_and_a_custom_one_after_fields() {
        for field in CsvField::FIXED {
            assert_eq!(CsvField::parse(field.as_str()).as_ref(), Ok(field));
        }
        assert_eq!("fields.a b".parse(), Ok(CsvField::Custom("a b".to_owned())));
        for text in ["", "Phone", "mobile", "fields"] {
            assert_eq!(CsvField::parse(text), Err(CsvOptionError::Field), "{text}");
        }
        let blank = FieldError::new(Field::CustomFieldName, Fault::Blank);
        assert_eq!(
            CsvField::parse("fields."),
            Err(CsvOptionError::CustomFieldName(blank))
        );
    }

    #[test]
    fn options_that_mean_nothing_are_refused() {
        let options = CsvOptions::default;
        for code in ["", "0", "038", "3800", "38x", "++38", "٣٨"] {
            let refused = options().calling_code(code).err();
            assert_eq!(refused, Some(CsvOptionError::CallingCode), "{code}");
        }
        for code in ["1", "+49", "380"] {
            assert_eq!(options().calling_code(code).err(), None, "{code}");
        }
        for label in ["", "utf-99", "replacement", "iso-2022-kr"] {
            let refused = options().encoding(label).err();
            assert_eq!(refused, Some(CsvOptionError::Encoding), "{label}");
        }
        for label in ["utf8", "UTF-16LE", "windows-1251", "cp1252", "koi8-u"] {
            assert_eq!(options().encoding(label).err(), None, "{label}");
        }
        for delimiter in ['"', '\n', '\r', 'a', '7', '\u{201A}', '\0'] {
            let refused = options().delimiter(delimiter).err();
            assert_eq!(refused, Some(CsvOptionError::Delimiter), "{delimiter:?}");
        }
        for delimiter in [',', ';', '\t', '|', ':'] {
            assert_eq!(options().delimiter(delimiter).err(), None, "{delimiter:?}");
        }
        assert_eq!(EmptyCell::parse("erase"), Ok(EmptyCell::Erase));
        assert_eq!(EmptyCell::parse("Keep"), Err(CsvOptionError::EmptyCell));
    }

    #[test]
    fn r52_debug_shows_no_header() {
        let field = CsvField::Custom("ann@example.com".to_owned());
        let options = CsvOptions::default().map("ann@example.com", field.clone());
        let shown = format!("{options:?} {options:#?} {field:?}");
        assert!(!shown.contains("ann"), "{shown}");
    }
}
