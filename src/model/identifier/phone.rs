//! Phone numbers (R4): international, as digits only.
//!
//! There is no table of countries. A national number is refused, not completed. A zero that is
//! dialled only within a country (`+49 030…`) stays, since only such a table could tell it apart.

use std::fmt;
use std::num::NonZeroU64;

use crate::model::fault::{Fault, Field, FieldError, PhoneMark};
use crate::model::text;

/// A phone number in international form without `+` ([R4](crate::rulebook#r4)): 7 to 15 digits, the
/// first not 0.
///
/// It is personal data: `Debug` shows only the number of digits, and there is no `Display`
/// ([R52](crate::rulebook#r52)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(
    // Invariant: canonical. The first digit is not 0, so the number holds all digits.
    NonZeroU64,
);

const LEAST: u64 = 1_000_000;
const GREATEST: u64 = 999_999_999_999_999;
const LEAST_DIGITS: usize = 7;
const MOST_DIGITS: usize = 15;

impl Phone {
    /// Reads a phone and brings it to canonical form.
    ///
    /// Arabic, Persian and full-width decimal digits count as ASCII digits, and the full-width plus
    /// as `+`. White space, the separators `-` `(` `)` `.` `/`, dashes and the invisible characters
    /// of copied numbers (soft hyphens, zero-width and direction marks, variation selectors) are
    /// dropped anywhere. Then one leading `+`, or else one leading `00`, is dropped.
    ///
    /// Text in which a mark may separate two numbers, or a number and something else, is refused:
    /// dropping the mark would make another valid number.
    ///
    /// ```
    /// # use contact_store::{Fault, Phone, PhoneMark};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(Phone::parse("+38 (050) 000-00-01")?.digits(), "380500000001");
    /// assert_eq!(Phone::parse("００٣٨٠٥٠٠٠٠٠٠٠١")?.digits(), "380500000001");
    /// let float = Phone::parse("380500000001.0").map_err(|error| error.fault().clone());
    /// assert_eq!(float, Err(Fault::AmbiguousMark { mark: PhoneMark::Dot }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// With the field `phone`, the first of:
    ///
    /// - [`Fault::Blank`], empty or only white space ([R1](crate::rulebook#r1));
    /// - [`Fault::AmbiguousZero`], a `(0)`, even with dropped characters inside the parentheses;
    /// - [`Fault::NotADigit`], any other character left;
    /// - [`Fault::MisplacedPlus`], a `+` that is not first;
    /// - [`Fault::DigitCount`], not 7 to 15 digits;
    /// - [`Fault::LeadingZero`], a number that begins with 0;
    /// - [`Fault::AmbiguousMark`]: a `/`, unless the number begins with `+` or `00`; a `/` after 7
    ///   digits or more, counted from the `/` before; a last `.`, `-` or `/` with a single digit
    ///   after it; any mark between two parts of 7 digits or more.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Self::canonical(text).map_err(|fault| FieldError::new(Field::Phone, fault))
    }

    /// The same as `parse`, for a caller whose field has another name.
    pub(crate) fn canonical(text: &str) -> Result<Self, Fault> {
        match Self::plain(text) {
            Some(phone) => Ok(phone),
            None => Self::by_the_rule(text),
        }
    }

    /// A fast path for plain text: ASCII digits, the first not 0, with at most a `+` before them
    /// and spaces and hyphens between. `None` decides nothing.
    fn plain(text: &str) -> Option<Self> {
        /// Two whole numbers do not fit into this many digits.
        const MOST_WITH_MARKS: usize = 2 * LEAST_DIGITS - 1;
        let text = text.as_bytes();
        let text = text.strip_prefix(b"+").unwrap_or(text);
        // The bound keeps the sums below from overflowing.
        if !matches!(text.first(), Some(b'1'..=b'9')) || text.len() > 2 * MOST_DIGITS {
            return None;
        }
        let mut value = 0_u64;
        let (mut digits, mut after_hyphen) = (0_usize, usize::MAX);
        for byte in text {
            match byte {
                b'0'..=b'9' => {
                    let digit = u64::from(byte & 0xF);
                    value = value.wrapping_mul(10).wrapping_add(digit);
                    digits = digits.wrapping_add(1);
                }
                b' ' => {}
                b'-' => after_hyphen = digits,
                _ => return None,
            }
        }
        let marked = digits != text.len();
        if marked && (digits > MOST_WITH_MARKS || digits.wrapping_sub(after_hyphen) == 1) {
            return None;
        }
        if !(LEAST_DIGITS..=MOST_DIGITS).contains(&digits) {
            return None;
        }
        NonZeroU64::new(value).map(Self)
    }

    /// The definition. [`plain`](Self::plain) is only a fast path for it.
    fn by_the_rule(text: &str) -> Result<Self, Fault> {
        if text::is_blank(text) {
            return Err(Fault::Blank);
        }
        if holds_zero_in_parentheses(text) {
            return Err(Fault::AmbiguousZero);
        }
        let read = text.chars().map(in_ascii);
        let kept: String = read.filter(|c| !is_dropped(*c)).collect();
        let plus = kept.strip_prefix('+');
        let number = plus.or_else(|| kept.strip_prefix("00")).unwrap_or(&kept);

        if number.bytes().any(|c| !c.is_ascii_digit() && c != b'+') {
            return Err(Fault::NotADigit);
        }
        if number.contains('+') {
            return Err(Fault::MisplacedPlus);
        }
        let digits = number.len();
        if !(LEAST_DIGITS..=MOST_DIGITS).contains(&digits) {
            return Err(Fault::DigitCount { digits });
        }
        if number.starts_with('0') {
            return Err(Fault::LeadingZero);
        }
        let prefix = match plus {
            Some(_) => Prefix::Plus,
            None if number.len() < kept.len() => Prefix::Zeros,
            None => Prefix::Nothing,
        };
        if let Some(mark) = ambiguous_mark(text, prefix) {
            return Err(Fault::AmbiguousMark { mark });
        }
        let value = number.parse().ok().and_then(Self::from_u64);
        value.ok_or(Fault::DigitCount { digits })
    }

    /// The phone with the digits of `value`, or `None` if it is not canonical.
    pub(crate) fn from_u64(value: u64) -> Option<Self> {
        let value = NonZeroU64::new(value)?;
        (LEAST..=GREATEST)
            .contains(&value.get())
            .then_some(Self(value))
    }

    /// Returns the digits as one number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// Returns the digits, which are the canonical form.
    #[must_use]
    pub fn digits(self) -> String {
        self.0.to_string()
    }

    /// The number of digits: 7 to 15.
    pub(crate) fn digit_count(self) -> usize {
        (self.0.ilog10() as usize).saturating_add(1)
    }
}

/// The ASCII digit or plus that `c` stands for, or else `c`.
pub(crate) fn in_ascii(c: char) -> char {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6F0}'..='\u{6F9}' => 0x6F0,
        '\u{FF10}'..='\u{FF19}' => 0xFF10,
        '\u{FF0B}' => return '+',
        _ => return c,
    };
    char::from_digit(u32::from(c).saturating_sub(zero), 10).unwrap_or(c)
}

/// Whether `c` only separates digits, or came along when the number was copied.
pub(crate) fn is_dropped(c: char) -> bool {
    mark(c).is_some() || is_unseen(c)
}

/// The kind of mark that `c` is, if it separates digits.
fn mark(c: char) -> Option<PhoneMark> {
    match c {
        '/' => Some(PhoneMark::Slash),
        '.' => Some(PhoneMark::Dot),
        // Dashes and the minus sign.
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => Some(PhoneMark::Hyphen),
        '(' | ')' => Some(PhoneMark::Parenthesis),
        _ if text::is_white_space(c) => Some(PhoneMark::WhiteSpace),
        _ => None,
    }
}

/// Whether `c` is an invisible character that copied numbers carry.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}

/// Whether `text` holds `(0)`, ignoring dropped characters: `( 0 )`, or one with direction marks,
/// is equally ambiguous.
fn holds_zero_in_parentheses(text: &str) -> bool {
    let mut before = ('\0', '\0');
    for c in text.chars().map(in_ascii) {
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

/// The prefix before the digits of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Nothing,
    Plus,
    Zeros,
}

/// The first kind of mark in `text`, if any, that may end the number.
///
/// The caller has checked that `text` holds the digits of one valid number after `prefix`.
fn ambiguous_mark(text: &str, prefix: Prefix) -> Option<PhoneMark> {
    PhoneMark::ALL
        .iter()
        .copied()
        .find(|mark| is_ambiguous(*mark, text, prefix))
}

fn is_ambiguous(mark: PhoneMark, text: &str, prefix: Prefix) -> bool {
    let parts = Parts::between(mark, text, prefix);
    if parts.count == 1 {
        return false;
    }
    match mark {
        // German and Czech numbers have a slash after the area code, others between two numbers.
        // What is before it is then not a whole number.
        PhoneMark::Slash => prefix == Prefix::Nothing || parts.last == 1 || parts.whole_then_more,
        // A float, and a list of endings.
        PhoneMark::Dot | PhoneMark::Hyphen => parts.last == 1 || parts.whole_then_whole,
        PhoneMark::WhiteSpace | PhoneMark::Parenthesis => parts.whole_then_whole,
    }
}

/// The digits of a text, by the parts between marks of one kind.
struct Parts {
    count: usize,
    /// The digits of the last part.
    last: usize,
    /// Whether digits follow a part that might be a whole number.
    whole_then_more: bool,
    /// Whether a part that might be a whole number follows another such part.
    whole_then_whole: bool,
}

impl Parts {
    fn between(mark_between: PhoneMark, text: &str, prefix: Prefix) -> Self {
        // The zeros of a prefix are not digits of the number.
        let mut passed_over = if prefix == Prefix::Zeros { 2_usize } else { 0 };
        let mut parts = Parts {
            count: 1,
            last: 0,
            whole_then_more: false,
            whole_then_whole: false,
        };
        let mut whole_before = false;
        for c in text.chars().map(in_ascii) {
            if mark(c) == Some(mark_between) {
                whole_before |= parts.last >= LEAST_DIGITS;
                parts.count = parts.count.saturating_add(1);
                parts.last = 0;
            } else if c.is_ascii_digit() {
                if passed_over > 0 {
                    passed_over = passed_over.saturating_sub(1);
                    continue;
                }
                parts.last = parts.last.saturating_add(1);
                parts.whole_then_more |= whole_before;
                parts.whole_then_whole |= whole_before && parts.last >= LEAST_DIGITS;
            }
        }
        parts
    }
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

    use super::{NonZeroU64, Phone, in_ascii, is_dropped};
    use crate::model::fault::{Fault, PhoneMark};
    use crate::model::text;

    #[track_caller]
    fn taken(text: &str, digits: u64) {
        assert_eq!(Phone::canonical(text), Ok(phone(digits)), "{text}");
    }

    #[track_caller]
    fn refused(text: &str, fault: Fault) {
        assert_eq!(Phone::canonical(text), Err(fault), "{text}");
    }

    fn phone(digits: u64) -> Phone {
        Phone(NonZeroU64::MIN.saturating_add(digits.saturating_sub(1)))
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
            "+380\u{2010}50\u{2011}12\u{2012}34\u{2013}5\u{2014}\u{2015}67",
            "\u{2212}380\u{2212}501234567",
            "\u{202A}+380501234567\u{202C}",
            "\u{200E}\u{200F}\u{202B}\u{202D}\u{202E}\u{2066}+\u{2067}380501234567\u{2068}\u{2069}",
            "-380501234567",
            "380501234567-",
            "380501234567.",
            "+380501234567/",
            "\u{FF0B}380501234567",
            "٣٨٠٥٠١٢٣٤٥٦٧",
            "+۳۸۰۵۰۱۲۳۴۵۶۷",
            "００３８０５０１２３４５６７",
            "3٨۰５01234567",
            "\u{FEFF}380501234567",
            "+380\u{AD}50\u{200B}12\u{200C}34\u{200D}5\u{2060}6\u{FE00}\u{FE0F}7",
        ];
        written.iter().for_each(|text| taken(text, DIGITS));
    }

    #[test]
    fn r4_one_prefix_is_dropped_and_only_one() {
        refused("+00380501234567", Fault::LeadingZero);
        refused("0000380501234", Fault::LeadingZero);
        for text in [
            "++380501234567",
            "+\u{FF0B}380501234567",
            "+ +380501234567",
            "00+380501234567",
            "380+501234567",
            "380501234567+",
            "+380501234567 +380501234568",
            "++",
        ] {
            refused(text, Fault::MisplacedPlus);
        }
        refused("++380501234567x", Fault::NotADigit);
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
    fn r4_a_mark_that_may_end_the_number_is_not_dropped() {
        use PhoneMark::{Dot, Hyphen, Parenthesis, Slash, WhiteSpace};
        let rows = [
            // A number that went through a float.
            ("380501234567.0", Dot),
            ("+380501234567.0", Dot),
            ("00380501234567. 0", Dot),
            ("٣٨٠٥٠١٢٣٤٥٦٧.٠", Dot),
            ("+1.555.123.456.7", Dot),
            // Without a prefix, it is unclear what a slash separates.
            ("12345/67", Slash),
            ("1234567/7654321", Slash),
            ("380501234567/", Slash),
            // With one, it may stand before or after an area code, but not after a whole number.
            ("+380501234567/68", Slash),
            ("+380 50 123-45-67 / 68", Slash),
            ("00380501234567/68", Slash),
            ("+49/30/1234567/68", Slash),
            ("+38 050/123456/7", Slash),
            // A list of endings.
            ("+380501234567-8", Hyphen),
            ("38050123456-7", Hyphen),
            ("380 50 123-45-67 \u{2013} 8", Hyphen),
            ("+3805012345\u{2212}6", Hyphen),
            // Two whole numbers.
            ("2345678 7654321", WhiteSpace),
            ("+2345678\n7654321", WhiteSpace),
            ("234-56-78 765-43-21", WhiteSpace),
            ("2345678-7654321", Hyphen),
            ("2345678.7654321", Dot),
            ("(2345678)(7654321)", Parenthesis),
            ("2345678 76543210", WhiteSpace),
        ];
        for (text, mark) in rows {
            refused(text, Fault::AmbiguousMark { mark });
        }
    }

    #[test]
    fn r4_a_mark_that_only_sets_out_the_digits_is_dropped() {
        let rows = [
            ("+49 30/1234567", 49_301_234_567),
            ("0049/30/1234567", 49_301_234_567),
            ("+49 3012/34567", 49_301_234_567),
            ("00 493012/34567", 49_301_234_567),
            ("8 10 380 50 1234567", 810_380_501_234_567),
            ("+1 (555) 123-45-67", 15_551_234_567),
            ("1-555-123-4567.", 15_551_234_567),
            ("38050123456 7", 380_501_234_567),
            ("1-234567", 1_234_567),
            ("234567 7654321", 2_345_677_654_321),
        ];
        rows.iter().for_each(|(text, digits)| taken(text, *digits));
    }

    // K14: no table of countries.
    #[test]
    fn r4_a_zero_dialled_only_within_a_country_stays() {
        taken("+4903012345678", 4_903_012_345_678);
        taken("+974055123456", 974_055_123_456);
    }

    #[test]
    fn r4_what_is_neither_digit_nor_mark_is_refused() {
        for text in [
            "38050123456७",
            "38050123456²",
            "3805O1234567",
            "38050123456x7",
            "tel:380501234567",
            "380501234567 ext 1",
            "380501234567 x1",
            "380501234567#1",
            "380,501,234,567",
            "380_501",
        ] {
            refused(text, Fault::NotADigit);
        }
    }

    #[test]
    fn a_character_is_dropped_a_digit_or_refused() {
        let marks = "-().\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}";
        let unseen = [
            0xAD..=0xAD,
            0x200B..=0x200F,
            0x202A..=0x202E,
            0x2060..=0x2060,
            0x2066..=0x2069,
            0xFE00..=0xFE0F,
            0xFEFF..=0xFEFF,
        ];
        let listed = |c: char| {
            let is_unseen = || unseen.iter().any(|range| range.contains(&u32::from(c)));
            text::is_white_space(c) || marks.contains(c) || is_unseen()
        };
        for c in '\0'..=char::MAX {
            let expected = match in_ascii(c) {
                digit @ '0'..='9' => Ok(phone(
                    3_805_001_234_567 + 10_000_000 * u64::from(digit as u8 - b'0'),
                )),
                '+' => Err(Fault::MisplacedPlus),
                '/' => Err(Fault::AmbiguousMark {
                    mark: PhoneMark::Slash,
                }),
                _ if listed(c) => Ok(phone(DIGITS)),
                _ => Err(Fault::NotADigit),
            };
            assert_eq!(
                Phone::canonical(&format!("38050{c}1234567")),
                expected,
                "U+{:04X}",
                u32::from(c)
            );
            assert_eq!(is_dropped(c), listed(c) || c == '/');
        }
    }

    #[test]
    fn r4_the_digits_of_other_writings_are_three_runs_of_ten_and_one_plus() {
        let in_other_writing = |c: &char| in_ascii(*c) != *c;
        let all: Vec<char> = ('\0'..=char::MAX).filter(in_other_writing).collect();
        let runs = [0x660, 0x6F0, 0xFF10].map(|zero| zero..zero + 10_u32);
        let mut expected: Vec<u32> = runs.into_iter().flatten().collect();
        expected.insert(20, 0xFF0B);
        assert_eq!(
            all.iter().copied().map(u32::from).collect::<Vec<_>>(),
            expected
        );
        let digits: String = all.iter().map(|c| in_ascii(*c)).collect();
        assert_eq!(digits, "01234567890123456789+0123456789");
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
            assert_eq!(Phone::from_u64(value), Some(phone(value)));
            assert_eq!(phone(value).digit_count(), digits);
            assert_eq!(phone(value).digits(), value.to_string());
            assert_eq!(phone(value).as_u64(), value);
        }
    }

    #[test]
    fn a_phone_that_may_be_missing_takes_no_more_memory() {
        assert_eq!(size_of::<Option<Phone>>(), size_of::<Phone>());
    }

    #[test]
    fn r52_debug_shows_the_number_of_digits_only() {
        assert_eq!(
            format!("{:?} {:#?}", phone(DIGITS), phone(1_000_000)),
            "Phone(<12 digits>) Phone(<7 digits>)"
        );
    }

    /// The fast path gives what the definition gives.
    #[track_caller]
    fn assert_plain_agrees(text: &str) {
        if let Some(phone) = Phone::plain(text) {
            assert_eq!(Phone::by_the_rule(text), Ok(phone), "{text:?}");
        }
    }

    #[test]
    fn r7_the_fast_path_agrees_with_the_definition_on_all_short_texts() {
        // Digits come in groups, so that few of them make whole numbers.
        let alphabet = [
            "0", "1", "9", "234", "567890", "+", " ", "-", "(", ")", ".", "/", "\u{AD}", "x",
        ];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            texts = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |part| text.clone() + part))
                .collect();
            texts.iter().for_each(|text| assert_plain_agrees(text));
        }
    }

    #[test]
    fn the_fast_path_takes_plain_text() {
        for text in [
            "380501234567",
            "+380501234567",
            "+380 50 123-45-67",
            "999999999999999",
        ] {
            assert!(Phone::plain(text).is_some(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn r7_parsing_a_canonical_form_gives_it_back(
            text in "[+0\u{FF0B}]{0,2}[0-9٠-٩۰-۹０-９ ()./\u{A0}\u{200E}\u{AD}\u{FE0F}\u{2013}-]{0,24}"
        ) {
            assert_plain_agrees(&text);
            if let Ok(phone) = Phone::canonical(&text) {
                prop_assert_eq!(Phone::canonical(&phone.digits()), Ok(phone));
                prop_assert_eq!(Phone::from_u64(phone.as_u64()), Some(phone));
            }
        }

        #[test]
        fn r7_the_fast_path_agrees_with_the_definition(text in "[+]?[0-9 +-]{0,40}") {
            assert_plain_agrees(&text);
        }

        #[test]
        fn r7_no_text_panics(text in any::<String>()) {
            assert_plain_agrees(&text);
            if let Ok(phone) = Phone::canonical(&text) {
                prop_assert_eq!(Phone::canonical(&phone.digits()), Ok(phone));
            }
        }
    }
}
