//! What counts as white space, and the characters that no identifier, token or name may hold.
//!
//! Both lists are frozen here and not taken from the compiler's Unicode tables. What is one value
//! today must be one value in every later build, or stored identifiers would no longer be found
//! (R7). Changing either list is a migration. This module does not know what the text is for.

use crate::model::fault::Fault;

/// Whether `c` is on the white-space list of the rules (section 2).
pub(crate) const fn is_white_space(c: char) -> bool {
    matches!(
        c,
        '\u{9}'..='\u{D}'
            | '\u{20}'
            | '\u{85}'
            | '\u{A0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200A}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202F}'
            | '\u{205F}'
            | '\u{3000}'
    )
}

/// `text` without the white space around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_white_space)
}

/// Whether `text` is empty or only white space (R1).
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(is_white_space)
}

/// The characters that R6 refuses, as sorted ranges, both ends included.
///
/// They are all controls (category Cc), both separators (Zl, Zp), all format characters (Cf), and
/// the fillers and joiners of other categories that show nothing by themselves. A few Arabic,
/// Syriac and Kaithi number marks in Cf are visible. They are included so that "all of Cf" stays a
/// plain statement that anyone can check. Code points that Unicode reserves for future invisible
/// characters are included too, since this list cannot grow without a migration.
///
/// Variation selectors (180B–180D, 180F, FE00–FE0F, E0100–E01EF) are not on the list. They are
/// marks, not format characters. They choose how the character before them looks, and many emoji in
/// the names of bots have one. The zero-width joiner is refused by name, and with it joined emoji
/// (families, professions). Private-use characters and noncharacters are not invisible.
const FORBIDDEN: [(char, char); 28] = [
    ('\u{0}', '\u{1F}'),        // C0 controls
    ('\u{7F}', '\u{9F}'),       // DEL, C1 controls
    ('\u{AD}', '\u{AD}'),       // soft hyphen
    ('\u{34F}', '\u{34F}'),     // combining grapheme joiner
    ('\u{600}', '\u{605}'),     // Arabic number marks
    ('\u{61C}', '\u{61C}'),     // Arabic letter mark (bidirectional)
    ('\u{6DD}', '\u{6DD}'),     // Arabic end of ayah
    ('\u{70F}', '\u{70F}'),     // Syriac abbreviation mark
    ('\u{890}', '\u{891}'),     // Arabic pound and piastre marks
    ('\u{8E2}', '\u{8E2}'),     // Arabic disputed end of ayah
    ('\u{115F}', '\u{1160}'),   // Hangul fillers
    ('\u{17B4}', '\u{17B5}'),   // Khmer inherent vowels
    ('\u{180E}', '\u{180E}'),   // Mongolian vowel separator
    ('\u{200B}', '\u{200F}'),   // zero-width space and joiners, direction marks
    ('\u{2028}', '\u{2029}'),   // line and paragraph separators
    ('\u{202A}', '\u{202E}'),   // direction embeddings and overrides
    ('\u{2060}', '\u{206F}'),   // word joiner, invisible operators, direction isolates
    ('\u{3164}', '\u{3164}'),   // Hangul filler
    ('\u{FEFF}', '\u{FEFF}'),   // byte order mark
    ('\u{FFA0}', '\u{FFA0}'),   // half-width Hangul filler
    ('\u{FFF0}', '\u{FFFB}'),   // set aside; interlinear annotation
    ('\u{110BD}', '\u{110BD}'), // Kaithi number sign
    ('\u{110CD}', '\u{110CD}'), // Kaithi number sign above
    ('\u{13430}', '\u{1343F}'), // Egyptian hieroglyph format controls
    ('\u{1BCA0}', '\u{1BCA3}'), // shorthand format controls
    ('\u{1D173}', '\u{1D17A}'), // musical format controls
    ('\u{E0000}', '\u{E00FF}'), // tag characters; set aside
    ('\u{E01F0}', '\u{E0FFF}'), // set aside
];

/// Whether `c` is on the list of R6.
pub(crate) fn is_forbidden(c: char) -> bool {
    // Nearly every character is one of these.
    if matches!(c, '\u{20}'..='\u{7E}') {
        return false;
    }
    let after = FORBIDDEN.partition_point(|(first, _)| *first <= c);
    FORBIDDEN
        .get(..after)
        .and_then(<[_]>::last)
        .is_some_and(|(_, last)| c <= *last)
}

/// Whether `text` may stand as an opaque value: kept byte for byte, never trimmed (R3, R6, R9).
///
/// # Errors
///
/// The first of: [`Fault::Blank`]; [`Fault::TooLong`], over `limit` bytes;
/// [`Fault::ForbiddenCharacter`].
pub(crate) fn opaque(text: &str, limit: usize) -> Result<(), Fault> {
    if is_plain(text) && text.len() <= limit {
        return Ok(());
    }
    opaque_by_the_rule(text, limit)
}

/// Whether `text` is printable ASCII that does not begin with a space. The rules here refuse such
/// text only for its length. `false` decides nothing.
fn is_plain(text: &str) -> bool {
    let text = text.as_bytes();
    text.first().is_some_and(u8::is_ascii_graphic)
        && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The definition. [`is_plain`] is only a fast path for it.
fn opaque_by_the_rule(text: &str, limit: usize) -> Result<(), Fault> {
    if is_blank(text) {
        return Err(Fault::Blank);
    }
    if text.len() > limit {
        return Err(Fault::TooLong {
            bytes: text.len(),
            limit,
        });
    }
    if text.chars().any(is_forbidden) {
        return Err(Fault::ForbiddenCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        FORBIDDEN, is_blank, is_forbidden, is_plain, is_white_space, opaque, opaque_by_the_rule,
        trim,
    };
    use crate::model::fault::Fault;

    /// The number of characters that `f` holds for, and the FNV-1a hash of their scalar values.
    fn fingerprint(f: impl Fn(char) -> bool) -> (usize, u64) {
        let chars: Vec<char> = ('\0'..=char::MAX).filter(|c| f(*c)).collect();
        let hash = chars
            .iter()
            .flat_map(|c| u32::from(*c).to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        (chars.len(), hash)
    }

    #[track_caller]
    fn refused(chars: &[char]) {
        chars
            .iter()
            .for_each(|c| assert!(is_forbidden(*c), "U+{:04X}", u32::from(*c)));
    }

    #[track_caller]
    fn taken(chars: &[char]) {
        chars
            .iter()
            .for_each(|c| assert!(!is_forbidden(*c), "U+{:04X}", u32::from(*c)));
    }

    // These two pin R7. If one fails, stored identifiers would no longer be found: that needs a new
    // canonical version and a migration, not a new number here.
    #[test]
    fn the_white_space_list_is_frozen() {
        assert_eq!(fingerprint(is_white_space), (25, 0x07db_14e6_e1f1_a2f5));
    }

    #[test]
    fn the_list_of_forbidden_characters_is_frozen() {
        assert_eq!(fingerprint(is_forbidden), (4_013, 0x1238_034e_d236_03ff));
    }

    #[test]
    fn the_ranges_are_sorted_and_disjoint() {
        assert!(FORBIDDEN.iter().all(|(first, last)| first <= last));
        assert!(FORBIDDEN.is_sorted_by(|a, b| a.1 < b.0));
    }

    #[test]
    fn white_space_is_the_list_of_the_rules_and_no_more() {
        let list = [
            0x9..=0xD,
            0x20..=0x20,
            0x85..=0x85,
            0xA0..=0xA0,
            0x1680..=0x1680,
            0x2000..=0x200A,
            0x2028..=0x2029,
            0x202F..=0x202F,
            0x205F..=0x205F,
            0x3000..=0x3000,
        ];
        for c in '\0'..=char::MAX {
            let listed = list.iter().any(|range| range.contains(&u32::from(c)));
            assert_eq!(is_white_space(c), listed, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn r6_refuses_every_kind_of_invisible_character() {
        refused(&[
            '\0', '\t', '\n', '\r', '\u{1F}', '\u{7F}', '\u{80}', '\u{85}', '\u{9F}',
        ]);
        refused(&['\u{2028}', '\u{2029}']);
        refused(&[
            '\u{AD}', '\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}',
        ]);
        refused(&[
            '\u{61C}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{202E}', '\u{2066}', '\u{2069}',
        ]);
        refused(&[
            '\u{180E}', '\u{2061}', '\u{2064}', '\u{206A}', '\u{206F}', '\u{FFF9}', '\u{FFFB}',
        ]);
        refused(&[
            '\u{34F}', '\u{115F}', '\u{1160}', '\u{17B4}', '\u{17B5}', '\u{3164}', '\u{FFA0}',
        ]);
        refused(&[
            '\u{13430}',
            '\u{1343F}',
            '\u{1BCA0}',
            '\u{1BCA3}',
            '\u{1D173}',
            '\u{1D17A}',
        ]);
        refused(&['\u{E0001}', '\u{E0020}', '\u{E007F}', '\u{E0FFF}']);
    }

    #[test]
    fn r6_takes_visible_characters_and_spaces() {
        taken(&[
            ' ', '~', '\u{A0}', '\u{AC}', '\u{AE}', 'é', 'ї', 'ʼ', '中', '🛒', '\u{2003}',
            '\u{3000}',
        ]);
        // Variation selectors: without them no heart in the name of an app.
        taken(&[
            '\u{FE00}',
            '\u{FE0F}',
            '\u{E0100}',
            '\u{E01EF}',
            '\u{180B}',
            '\u{180F}',
        ]);
        // Combining marks, private use, noncharacters.
        taken(&[
            '\u{301}',
            '\u{20E3}',
            '\u{E000}',
            '\u{F8FF}',
            '\u{FFFE}',
            '\u{10FFFE}',
        ]);
    }

    #[test]
    fn trim_takes_the_frozen_list_and_nothing_else() {
        assert_eq!(trim("\u{9}\u{3000} a b\u{2029}\u{85}"), "a b");
        assert_eq!(trim("\u{200B}a\u{FEFF}"), "\u{200B}a\u{FEFF}");
        assert_eq!(trim(" \u{A0} "), "");
    }

    #[test]
    fn r1_blank_is_empty_or_only_white_space() {
        for text in ["", " ", "\t\r\n", "\u{A0}\u{2028}\u{3000}"] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", " a ", "\u{200B}", "\0"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn opaque_values_are_checked_for_blank_then_length_then_characters() {
        assert_eq!(opaque("", 0), Err(Fault::Blank));
        assert_eq!(opaque("    ", 3), Err(Fault::Blank));
        assert_eq!(
            opaque("a\0bc", 3),
            Err(Fault::TooLong { bytes: 4, limit: 3 })
        );
        assert_eq!(opaque("a\0b", 3), Err(Fault::ForbiddenCharacter));
        assert_eq!(opaque("a\tb", 3), Err(Fault::ForbiddenCharacter));
        assert_eq!(opaque("abc", 3), Ok(()));
    }

    #[test]
    fn opaque_values_are_measured_in_bytes() {
        assert_eq!(opaque("її", 4), Ok(()));
        assert_eq!(opaque("її", 3), Err(Fault::TooLong { bytes: 4, limit: 3 }));
    }

    #[test]
    fn opaque_values_keep_the_spaces_around_and_in_them() {
        assert_eq!(opaque(" a b ", 5), Ok(()));
    }

    #[test]
    fn r7_the_fast_path_agrees_with_the_definition_on_all_short_texts() {
        let alphabet = [
            "a", "~", " ", "\t", "\0", "\u{7F}", "é", "\u{A0}", "\u{200B}",
        ];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            for text in &texts {
                for limit in [0, 1, 3, 5, 9] {
                    assert_eq!(
                        opaque(text, limit),
                        opaque_by_the_rule(text, limit),
                        "{text:?}"
                    );
                }
            }
            texts = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |part| text.clone() + part))
                .collect();
        }
        assert!(is_plain("crm-1 ~"));
    }

    proptest! {
        #[test]
        fn r7_the_fast_path_agrees_with_the_definition(
            text in prop_oneof!["[ -~]{0,40}", any::<String>()], limit in 0_usize..40
        ) {
            prop_assert_eq!(opaque(&text, limit), opaque_by_the_rule(&text, limit));
        }
    }
}
