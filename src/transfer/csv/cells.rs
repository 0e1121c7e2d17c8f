//! What stands in a cell: several values, the marks of spreadsheets, and what they do to numbers.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and shows a cell
//! that begins with an apostrophe as the text after it. An export puts an apostrophe before what would be
//! taken for a formula; an import takes one off. So that each text comes back, one is also put before
//! what already begins with apostrophes and would lose one.

use std::borrow::Cow;

use crate::model::fault::Field;
use crate::model::identifier::{in_ascii, is_dropped};
use crate::model::text;

use super::error::CsvError;

/// Whether a spreadsheet may take what begins with `first` for a formula. Some take the full-width forms,
/// too, and pass over a tab or the end of a line.
fn begins_a_formula(first: char) -> bool {
    matches!(
        first,
        '=' | '+'
            | '-'
            | '@'
            | '\t'
            | '\r'
            | '\n'
            | '\u{FF1D}'
            | '\u{FF0B}'
            | '\u{FF0D}'
            | '\u{FF20}'
    )
}

/// A text as it is exported. It is never empty, which an empty cell is.
pub(super) fn marked(text: &str) -> Cow<'_, str> {
    let after = text.trim_start_matches('\'');
    let has_apostrophe = after.len() < text.len();
    let needs_one = match after.chars().next() {
        None => true,
        Some(first) => begins_a_formula(first) || (has_apostrophe && first.is_ascii_digit()),
    };
    match needs_one {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// An external customer id as it is exported: one that looks like a number that a spreadsheet has shortened
/// is marked, too.
pub(super) fn marked_id(id: &str) -> Cow<'_, str> {
    match is_scientific(id, true) {
        true => Cow::Owned(format!("'{id}")),
        false => marked(id),
    }
}

/// The text that an export wrote as `cell`.
pub(super) fn unmarked(cell: &str) -> &str {
    let Some(text) = cell.strip_prefix('\'') else {
        return cell;
    };
    match text.trim_start_matches('\'').chars().next() {
        None => text,
        Some(first) if begins_a_formula(first) || first.is_ascii_digit() => text,
        Some(_) => cell,
    }
}

/// The values of a cell that may have several: one address book writes ` ::: ` between them, others
/// `;`, and between emails also a comma. None is blank.
pub(super) fn values(field: Field, cell: &str) -> impl Iterator<Item = &str> {
    let comma = field == Field::Email;
    let parts = cell.split(":::");
    let parts = parts.flat_map(move |part| part.split(move |c| c == ';' || (comma && c == ',')));
    parts
        .map(|part| part.trim_matches(text::is_white_space))
        .filter(|part| !part.is_empty())
}

/// Refuses a number that a spreadsheet has spoilt. An external customer id is a number only where it looks
/// like one, and is not where an export marked it.
pub(super) fn check_number(field: Field, cell: &str) -> Result<(), CsvError> {
    let opaque = field == Field::ExternalCustomerId;
    let cell = match opaque {
        true => cell,
        false => cell.trim_matches(text::is_white_space),
    };
    if is_scientific(cell, opaque) {
        return Err(CsvError::ScientificNotation { field });
    }
    let is_number = |after: &str| {
        !opaque || (after.starts_with(|c: char| c.is_ascii_digit()) && !is_scientific(after, true))
    };
    match cell.strip_prefix('\'').is_some_and(is_number) {
        true => Err(CsvError::LeadingApostrophe { field }),
        false => Ok(()),
    }
}

/// Whether it is `3.8E+11` or the like. An opaque text must have a decimal mark or a sign besides: `12E5`
/// may be somebody's id.
fn is_scientific(cell: &str, opaque: bool) -> bool {
    let number = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = match mantissa.split_once(['.', ',']) {
        Some((whole, part)) => (whole, Some(part)),
        None => (mantissa, None),
    };
    let power = exponent.strip_prefix(['+', '-']);
    digits(whole)
        && part.is_none_or(digits)
        && digits(power.unwrap_or(exponent))
        && power.unwrap_or(exponent).len() <= 3
        && (!opaque || part.is_some() || power.is_some())
}

/// A country's calling code, by which national numbers become international ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallingCode(pub(super) String);

impl CallingCode {
    /// A phone in international form. One that already is stays as it is; of a national one the zero
    /// before it goes.
    pub(super) fn complete<'t>(&self, phone: &'t str) -> Result<Cow<'t, str>, CsvError> {
        let field = Field::Phone;
        let seen = |(_, c): &(usize, char)| !is_dropped(*c);
        let digits = phone.char_indices().map(|(at, c)| (at, in_ascii(c)));
        let mut digits = digits.filter(seen);
        let first = digits.next();
        let second = digits.next().map(|(_, c)| c);
        match first {
            Some((at, '0')) if second != Some('0') => {
                let zero = phone.get(at..).and_then(|rest| rest.chars().next());
                let after = at.saturating_add(zero.map_or(0, char::len_utf8));
                let number = phone.get(after..).unwrap_or_default();
                Ok(Cow::Owned(format!("+{}{number}", self.0)))
            }
            Some((_, '1'..='9')) => {
                let mut all = phone.chars().map(in_ascii).filter(|c| !is_dropped(*c));
                match self.0.chars().all(|digit| all.next() == Some(digit)) {
                    true => Ok(Cow::Borrowed(phone)),
                    false => Err(CsvError::MissingZero { field }),
                }
            }
            // Whatever else it is, the rule of phones says.
            _ => Ok(Cow::Borrowed(phone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r70_what_a_spreadsheet_would_take_for_a_formula_is_marked_as_text() {
        for (text, cell) in [
            ("Ann", "Ann"),
            ("=1+1", "'=1+1"),
            ("+380", "'+380"),
            ("-5", "'-5"),
            ("@ann", "'@ann"),
            ("\t=1", "'\t=1"),
            ("\u{FF1D}1", "'\u{FF1D}1"),
            ("", "'"),
            ("'", "''"),
            ("'=1", "''=1"),
            ("'123", "''123"),
            ("123", "123"),
            ("'t Hart", "'t Hart"),
            ("''t", "''t"),
            ("O'Neil", "O'Neil"),
        ] {
            assert_eq!(marked(text), cell);
            assert_eq!(unmarked(cell), text);
        }
        assert_eq!(unmarked("'123"), "123");
        assert_eq!(unmarked(""), "");
    }

    proptest! {
        #[test]
        fn r70_every_text_comes_back_and_none_is_an_empty_cell_or_a_formula(
            text in "['=+@0-9a\\-\t\n\u{FF1D}]{0,4}|\\PC*"
        ) {
            let cell = marked(&text);
            prop_assert_eq!(unmarked(&cell), &*text);
            prop_assert!(!cell.is_empty());
            prop_assert!(!cell.starts_with(begins_a_formula));
        }
    }

    #[test]
    fn a_cell_may_have_several_values() {
        let of = |field, cell| values(field, cell).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of(Field::Email, "a@b.c ::: d@e.f"), ["a@b.c", "d@e.f"]);
        assert_eq!(
            of(Field::Email, "a@b.c; d@e.f,g@h.i;"),
            ["a@b.c", "d@e.f", "g@h.i"]
        );
        assert_eq!(
            of(Field::Phone, "+380 50,1 ::: +380 51"),
            ["+380 50,1", "+380 51"]
        );
        assert_eq!(of(Field::Phone, " \u{A0};"), Vec::<String>::new());
    }

    #[track_caller]
    fn number(field: Field, cell: &str, expected: Option<CsvError>) {
        assert_eq!(check_number(field, cell).err(), expected, "{cell}");
    }

    #[test]
    fn r70_numbers_that_a_spreadsheet_has_shortened_are_refused() {
        for cell in [
            "3.8E+11",
            "3,80501E+11",
            " 3.8e11 ",
            "4E+11",
            "+3.8E+11",
            "1E15",
        ] {
            let field = Field::Phone;
            number(field, cell, Some(CsvError::ScientificNotation { field }));
        }
        for cell in ["3.8E+11", "3,8e11", "1E+15"] {
            let field = Field::ExternalCustomerId;
            number(field, cell, Some(CsvError::ScientificNotation { field }));
        }
        for cell in [
            "12E5",
            "E11",
            "1.E+11",
            "3.8E+",
            "3.8E+1111",
            "crm-3.8E+11",
            "x1E+5",
        ] {
            number(Field::ExternalCustomerId, cell, None);
        }
        number(Field::Phone, "+380501234567", None);
    }

    #[test]
    fn r70_numbers_that_a_spreadsheet_kept_as_text_are_refused() {
        let field = Field::Phone;
        for cell in ["'+380501234567", "'0501234567", " '380501234567"] {
            number(field, cell, Some(CsvError::LeadingApostrophe { field }));
        }
        let field = Field::ExternalCustomerId;
        number(field, "'0017", Some(CsvError::LeadingApostrophe { field }));
        for cell in ["'crm", "''0017", "'-5", " '0017", "'1.2E+05"] {
            number(field, cell, None);
        }
    }

    #[track_caller]
    fn complete(code: &str, phone: &str, expected: Result<&str, CsvError>) {
        let code = CallingCode(code.to_owned());
        assert_eq!(
            code.complete(phone).as_deref(),
            expected.as_deref(),
            "{phone}"
        );
    }

    #[test]
    fn r70_a_national_number_is_completed_and_an_international_one_stays() {
        for (phone, expected) in [
            ("050 123 45 67", "+38050 123 45 67"),
            ("(050) 123-45-67", "+38050) 123-45-67"),
            ("(0) 501234567", "+380) 501234567"),
            ("\u{200E}٠501234567", "+380501234567"),
            ("0", "+380"),
        ] {
            complete("380", phone, Ok(expected));
        }
        for phone in [
            "+380501234567",
            "+48123456789",
            "00 48 123456789",
            "0-048123456789",
            "380501234567",
            "(380) 50 1234567",
            "call me",
            "",
            "-",
        ] {
            complete("380", phone, Ok(phone));
        }
        let field = Field::Phone;
        for phone in ["501234567", "48123456789", "38", "(50) 1234567"] {
            complete("380", phone, Err(CsvError::MissingZero { field }));
        }
        complete("1", "1 555 123 4567", Ok("1 555 123 4567"));
    }
}
