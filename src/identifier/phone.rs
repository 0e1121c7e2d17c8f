//! Phone numbers (R4): international, as digits only.
//!
//! No table of countries: a national number is refused, not completed.

use std::fmt;

use crate::fault::{Fault, Field, FieldError};
use crate::text;

/// A phone number in international form without `+` (R4): 7 to 15 digits, the first not 0.
///
/// `Debug` shows only how many digits, and there is no `Display`: it is personal data (R52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(
    // Invariant: canonical. The first digit is not 0, so the number says all.
    u64,
);

const LEAST: u64 = 1_000_000;
const GREATEST: u64 = 999_999_999_999_999;

impl Phone {
    /// The phone that `text` writes, in its canonical form.
    ///
    /// White space, the separators `-` `(` `)` `.` `/`, dashes, and the direction marks that copied
    /// numbers carry are dropped wherever they stand; then one leading `+`, or else one leading
    /// `00`. Only ASCII digits are digits.
    ///
    /// # Errors
    ///
    /// Of the field `phone`, the first of:
    ///
    /// - [`Fault::Blank`], empty or only white space (R1);
    /// - [`Fault::AmbiguousZero`], a `(0)`, also with dropped characters within the parentheses;
    /// - [`Fault::NotADigit`], any other character left;
    /// - [`Fault::DigitCount`], not 7 to 15 digits;
    /// - [`Fault::LeadingZero`], a number that begins with 0.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Self::canonical(text).map_err(|fault| FieldError::new(Field::Phone, fault))
    }

    /// The same, for whoever was given the value under another name.
    pub(crate) fn canonical(text: &str) -> Result<Self, Fault> {
        if text::is_blank(text) {
            return Err(Fault::Blank);
        }
        if holds_zero_in_parentheses(text) {
            return Err(Fault::AmbiguousZero);
        }
        let kept: String = text.chars().filter(|c| !is_dropped(*c)).collect();
        let number = kept
            .strip_prefix('+')
            .or_else(|| kept.strip_prefix("00"))
            .unwrap_or(&kept);

        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::NotADigit);
        }
        let digits = number.len();
        if !(7..=15).contains(&digits) {
            return Err(Fault::DigitCount { digits });
        }
        if number.starts_with('0') {
            return Err(Fault::LeadingZero);
        }
        let value = number.parse().ok().and_then(Self::from_u64);
        value.ok_or(Fault::DigitCount { digits })
    }

    /// The phone whose digits are those of `value`; `None` if it is not canonical.
    pub(crate) fn from_u64(value: u64) -> Option<Self> {
        (LEAST..=GREATEST).contains(&value).then_some(Self(value))
    }

    /// The digits, read as one number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The digits: the canonical form.
    #[must_use]
    pub fn digits(self) -> String {
        self.0.to_string()
    }

    /// How many digits: 7 to 15.
    pub(crate) fn digit_count(self) -> usize {
        self.0
            .checked_ilog10()
            .map_or(0, |log| (log as usize).saturating_add(1))
    }
}

/// Whether `c` only sets out the digits, or came along when the number was copied.
fn is_dropped(c: char) -> bool {
    text::is_white_space(c)
        || matches!(c, '-' | '(' | ')' | '.' | '/')
        // Dashes and the minus sign.
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
        // Direction marks.
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether `(0)` stands in `text`, seen as a reader sees it: `( 0 )` or one with direction marks is
/// the same guess.
fn holds_zero_in_parentheses(text: &str) -> bool {
    let mut before = ('\0', '\0');
    for c in text.chars() {
        if is_dropped(c) && !matches!(c, '(' | ')') {
            continue;
        }
        if before == ('(', '0') && c == ')' {
            return true;
        }
        before = (before.1, c);
    }
    false
}

// Personal data, and `Debug` output ends up in logs.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone(<{} digits>)", self.digit_count())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Phone, is_dropped};
    use crate::fault::Fault;
    use crate::text;

    #[track_caller]
    fn taken(text: &str, digits: u64) {
        assert_eq!(Phone::canonical(text), Ok(Phone(digits)), "{text}");
    }

    #[track_caller]
    fn refused(text: &str, fault: Fault) {
        assert_eq!(Phone::canonical(text), Err(fault), "{text}");
    }

    const DIGITS: u64 = 380_501_234_567;

    #[test]
    fn r4_one_number_has_one_canonical_form() {
        let written = [
            "380501234567",
            "+380501234567",
            "00380501234567",
            " +380 50 123-45-67 ",
            "+38 (050) 123.45.67",
            "+38/050/123/45/67",
            "(+380)501234567",
            "(00) 380 501234567",
            "0-0380501234567",
            "+380\u{A0}50\u{2009}123\u{3000}45\t67\r\n",
            "+380\u{2010}50\u{2011}12\u{2012}34\u{2013}5\u{2014}6\u{2015}7",
            "\u{2212}380\u{2212}501234567",
            "\u{202A}+380501234567\u{202C}",
            "\u{200E}\u{200F}\u{202B}\u{202D}\u{202E}\u{2066}+\u{2067}380501234567\u{2068}\u{2069}",
            "-380501234567",
        ];
        written.iter().for_each(|text| taken(text, DIGITS));
    }

    #[test]
    fn r4_one_prefix_is_dropped_and_only_one() {
        refused("++380501234567", Fault::NotADigit);
        refused("00+380501234567", Fault::NotADigit);
        refused("+00380501234567", Fault::LeadingZero);
        refused("0000380501234", Fault::LeadingZero);
        refused("380+501234567", Fault::NotADigit);
        refused("380501234567+", Fault::NotADigit);
        refused("\u{FF0B}380501234567", Fault::NotADigit);
    }

    #[test]
    fn r4_a_number_has_7_to_15_digits() {
        taken("1000000", 1_000_000);
        taken("9999999", 9_999_999);
        taken("001234567", 1_234_567);
        taken("100000000000000", 100_000_000_000_000);
        taken("+999999999999999", 999_999_999_999_999);
        taken("00999999999999999", 999_999_999_999_999);
        for text in ["999999", "+999999", "00999999", "9-9-9(9)9/9"] {
            refused(text, Fault::DigitCount { digits: 6 });
        }
        for text in ["1000000000000000", "+1000000000000000"] {
            refused(text, Fault::DigitCount { digits: 16 });
        }
        for text in ["+", "00", "()", "-", "+ -", "\u{200E}"] {
            refused(text, Fault::DigitCount { digits: 0 });
        }
        refused("0", Fault::DigitCount { digits: 1 });
        refused("012345", Fault::DigitCount { digits: 6 });
        refused("0123456789012345", Fault::DigitCount { digits: 16 });
        refused(&"9".repeat(1 << 20), Fault::DigitCount { digits: 1 << 20 });
    }

    #[test]
    fn r4_national_numbers_are_not_guessed() {
        for text in ["0501234567", "(050) 123-45-67", "+0501234567", "0000000000"] {
            refused(text, Fault::LeadingZero);
        }
    }

    #[test]
    fn r4_a_zero_in_parentheses_is_a_guess() {
        let ambiguous = [
            "+44 (0) 20 7946 0958",
            "+44(0)2079460958",
            "(0)442079460958",
            "44 ( 0 ) 2079460958",
            "44 (\u{200E}0\u{A0}) 2079460958",
            "44 (-0.) 2079460958",
            "44 ((0)) 2079460958",
            "44 (0)) ((20) 79460958",
            "(44)(0)2079460958",
            "abc (0)",
        ];
        ambiguous
            .iter()
            .for_each(|text| refused(text, Fault::AmbiguousZero));
        taken("44 (00) 2079460", 44_002_079_460);
        taken("44 (020) 79460958", 4_402_079_460_958);
        taken("44 (0 20) 79460958", 4_402_079_460_958);
        taken("44 0) 20 (7946", 440_207_946);
        taken("44 )0( 207946", 440_207_946);
        taken("44 (0( 207946", 440_207_946);
    }

    #[test]
    fn r1_only_white_space_is_blank() {
        for text in ["", " ", "\t\n", "\u{A0}\u{2028}"] {
            refused(text, Fault::Blank);
        }
    }

    #[test]
    fn only_ascii_digits_are_digits() {
        for text in [
            "٣٨٠٥٠١٢٣٤٥٦٧",
            "３８０５０１２３４５６７",
            "38050123456७",
            "38050123456²",
            "3805O1234567",
        ] {
            refused(text, Fault::NotADigit);
        }
        for text in [
            "38050123456x7",
            "tel:380501234567",
            "380501234567 ext 1",
            "380,501,234,567",
            "380_501",
        ] {
            refused(text, Fault::NotADigit);
        }
    }

    #[test]
    fn a_character_is_dropped_a_digit_or_refused() {
        let listed = |c: char| {
            text::is_white_space(c)
                || "-().//\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}".contains(c)
                || "\u{200E}\u{200F}\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}".contains(c)
                || "\u{2066}\u{2067}\u{2068}\u{2069}".contains(c)
        };
        for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii_digit()) {
            let expected = if listed(c) {
                Ok(Phone(DIGITS))
            } else {
                Err(Fault::NotADigit)
            };
            assert_eq!(
                Phone::canonical(&format!("38050{c}1234567")),
                expected,
                "U+{:04X}",
                u32::from(c)
            );
            assert_eq!(is_dropped(c), listed(c));
        }
    }

    #[test]
    fn only_canonical_numbers_are_phones() {
        for value in [0, 1, 999_999, 1_000_000_000_000_000, u64::MAX] {
            assert_eq!(Phone::from_u64(value), None);
        }
        for (value, digits) in [
            (1_000_000, 7),
            (9_999_999, 7),
            (10_000_000, 8),
            (999_999_999_999_999, 15),
        ] {
            assert_eq!(Phone::from_u64(value), Some(Phone(value)));
            assert_eq!(Phone(value).digit_count(), digits);
            assert_eq!(Phone(value).digits(), value.to_string());
            assert_eq!(Phone(value).as_u64(), value);
        }
    }

    #[test]
    fn r52_debug_shows_the_number_of_digits_only() {
        assert_eq!(
            format!("{:?} {:#?}", Phone(DIGITS), Phone(1_000_000)),
            "Phone(<12 digits>) Phone(<7 digits>)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn r7_parsing_a_canonical_form_gives_it_back(
            text in "[+0]{0,2}[0-9 ()./\u{A0}\u{200E}\u{2013}-]{0,24}"
        ) {
            if let Ok(phone) = Phone::canonical(&text) {
                prop_assert_eq!(Phone::canonical(&phone.digits()), Ok(phone));
                prop_assert_eq!(Phone::from_u64(phone.as_u64()), Some(phone));
            }
        }

        #[test]
        fn r7_no_text_panics(text in any::<String>()) {
            if let Ok(phone) = Phone::canonical(&text) {
                prop_assert_eq!(Phone::canonical(&phone.digits()), Ok(phone));
            }
        }
    }
}
