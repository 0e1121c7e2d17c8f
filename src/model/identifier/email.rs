//! Email addresses (R5).
//!
//! This module does not know whether an address can receive mail, nor any provider's own rules:
//! dots and `+` tags are kept. Nor does it know Unicode equivalence: non-ASCII letters of the local
//! part stay as they are.

use std::{borrow::Cow, fmt};

use crate::model::fault::{Fault, Field, FieldError};
use crate::model::text;

/// An email address in its canonical form ([R5](crate::rulebook#r5)): at most 254 bytes.
///
/// ASCII letters are lower-case, and the domain is ASCII without a final dot. Everything else in
/// the local part is kept as given. So `jürgen@x.com` with `ü` as one character differs from the
/// one with `u` and a combining mark, and `іван@x.com` differs from `ІВАН@x.com`, whose letters are
/// not ASCII. A host that wants such addresses to be equal must convert them first.
///
/// An email is personal data: `Debug` shows only its length, and there is no `Display`
/// ([R52](crate::rulebook#r52)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(
    // Invariant: canonical, so `parse` returns it unchanged.
    String,
);

const LOCAL_PART_MAX_BYTES: usize = 64;
const DOMAIN_MAX_BYTES: usize = 253;
const LABEL_MAX_BYTES: usize = 63;

impl Email {
    /// The greatest length of the canonical form, in bytes.
    pub const MAX_BYTES: usize = 254;

    /// Reads an address and brings it to canonical form.
    ///
    /// The text is trimmed and split at the last `@`. With the cargo feature `idn` a non-ASCII
    /// domain goes through IDNA (strict); without it, such a domain is refused. ASCII domains never
    /// depend on the feature. A domain may have a single label, such as `localhost`.
    ///
    /// # Errors
    ///
    /// With the field `email`, the first of:
    ///
    /// - [`Fault::Blank`], empty or only white space ([R1](crate::rulebook#r1));
    /// - [`Fault::NoAtSign`];
    /// - [`Fault::LocalPartLength`], not 1 to 64 bytes before the last `@`;
    /// - [`Fault::LocalPartWhiteSpace`], white space before the last `@`;
    /// - [`Fault::NotOneAddress`], one of `@ , ; : < > ( ) [ ] \ "` before the last `@`;
    /// - [`Fault::NonAsciiDomain`] without the feature `idn`, [`Fault::Idna`] with it;
    /// - [`Fault::DomainLength`], not 1 to 253 bytes after the last `@`, one final dot not counted;
    /// - [`Fault::DomainLabel`], a label that is not 1 to 63 letters, digits and inner hyphens;
    /// - [`Fault::TooLong`], over [`Email::MAX_BYTES`] in all;
    /// - [`Fault::ForbiddenCharacter`], a control or invisible format character
    ///   ([R6](crate::rulebook#r6)).
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Self::take(text)
    }

    /// The same as `parse`. Owned text is reused if it is canonical except for upper case.
    pub(crate) fn take(text: impl AsRef<str> + Into<String>) -> Result<Self, FieldError> {
        let canonical = match Case::of_plain(text.as_ref()) {
            Some(Case::Lower) => Ok(text.into()),
            Some(Case::Mixed) => {
                let mut text: String = text.into();
                text.make_ascii_lowercase();
                Ok(text)
            }
            None => by_the_rule(text.as_ref(), is_one_address),
        };
        canonical
            .map(Self)
            .map_err(|fault| FieldError::new(Field::Email, fault))
    }

    /// An address from a record, whose checksum vouches for it.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether this or an earlier version of the canonical forms makes the address. Version 1 did
    /// not check for [`Fault::NotOneAddress`], and its stored addresses stay valid.
    pub(crate) fn is_canonical(&self) -> bool {
        by_the_rule(&self.0, |_| Ok(())).as_ref() == Ok(&self.0)
    }

    /// Returns the address in its canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address in its canonical form.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

const LOCAL: u8 = 1;
const ALPHANUMERIC: u8 = 2;

/// The parts of a plain address that each byte may be in: the local part, or a label. This is a
/// table because every byte of every parsed email is looked up in it.
#[expect(
    clippy::indexing_slicing,
    reason = "made by the compiler, which would not go on after a panic"
)]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let mut class = 0;
        if byte.is_ascii_graphic() && !is_of_several(byte as char) {
            class |= LOCAL;
        }
        if byte.is_ascii_alphanumeric() {
            class |= ALPHANUMERIC;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
};

/// Whether text that is otherwise canonical has upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Lower,
    Mixed,
}

impl Case {
    /// The case of a plain address: ASCII, without white space around it or a final dot, checked in
    /// one pass. `None` decides nothing.
    fn of_plain(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > Email::MAX_BYTES {
            return None;
        }
        let is_of_class = |byte: &u8, class: u8| {
            let of = CLASSES.get(usize::from(*byte));
            of.is_some_and(|of| of & class != 0)
        };
        let local_bytes = bytes.iter().position(|byte| !is_of_class(byte, LOCAL))?;
        if !(1..=LOCAL_PART_MAX_BYTES).contains(&local_bytes) {
            return None;
        }
        let domain = bytes.get(local_bytes..)?.strip_prefix(b"@")?;
        // The domain is short enough, since the whole is.
        let mut label_bytes = 0_usize;
        let mut before = b'.';
        for byte in domain {
            if is_of_class(byte, ALPHANUMERIC) {
                label_bytes = label_bytes.wrapping_add(1);
            } else if before == b'.' {
                return None;
            } else if *byte == b'-' {
                label_bytes = label_bytes.wrapping_add(1);
            } else if *byte == b'.' && before != b'-' {
                if label_bytes > LABEL_MAX_BYTES {
                    return None;
                }
                label_bytes = 0;
            } else {
                return None;
            }
            before = *byte;
        }
        if matches!(before, b'.' | b'-') || label_bytes > LABEL_MAX_BYTES {
            return None;
        }
        let upper = bytes.iter().any(u8::is_ascii_uppercase);
        Some(if upper { Case::Mixed } else { Case::Lower })
    }
}

/// The definition of the canonical form. [`Case::of_plain`] is only a fast path for it.
fn by_the_rule(
    text: &str,
    check_one_address: impl FnOnce(&str) -> Result<(), Fault>,
) -> Result<String, Fault> {
    let text = text::trim(text);
    if text.is_empty() {
        return Err(Fault::Blank);
    }
    let (local, domain) = text.rsplit_once('@').ok_or(Fault::NoAtSign)?;
    check_local_part(local)?;
    check_one_address(local)?;
    let domain = ascii_domain(domain.strip_suffix('.').unwrap_or(domain))?;
    check_domain(&domain)?;

    let mut canonical = format!("{local}@{domain}");
    check_whole(&canonical)?;
    canonical.make_ascii_lowercase();
    Ok(canonical)
}

fn check_local_part(local: &str) -> Result<(), Fault> {
    let bytes = local.len();
    if !(1..=LOCAL_PART_MAX_BYTES).contains(&bytes) {
        return Err(Fault::LocalPartLength { bytes });
    }
    if local.chars().any(text::is_white_space) {
        return Err(Fault::LocalPartWhiteSpace);
    }
    Ok(())
}

fn is_one_address(local: &str) -> Result<(), Fault> {
    if local.chars().any(is_of_several) {
        return Err(Fault::NotOneAddress);
    }
    Ok(())
}

/// Whether `c` before the last `@` means that the text is not one plain address, but a list, an
/// address with a display name or a comment, or a link.
const fn is_of_several(c: char) -> bool {
    matches!(
        c,
        '@' | ',' | ';' | ':' | '<' | '>' | '(' | ')' | '[' | ']' | '\\' | '"'
    )
}

/// The domain in ASCII. It may still have upper case, and is not checked yet.
// An ASCII domain never goes through IDNA. It would then depend on a library's tables, and what is
// canonical with the feature might not be canonical without it (R7).
fn ascii_domain(domain: &str) -> Result<Cow<'_, str>, Fault> {
    if domain.is_ascii() {
        return Ok(Cow::Borrowed(domain));
    }
    #[cfg(feature = "idn")]
    return idna::domain_to_ascii_strict(domain)
        .map(Cow::Owned)
        .map_err(|_| Fault::Idna);
    #[cfg(not(feature = "idn"))]
    Err(Fault::NonAsciiDomain)
}

fn check_domain(domain: &str) -> Result<(), Fault> {
    let bytes = domain.len();
    if !(1..=DOMAIN_MAX_BYTES).contains(&bytes) {
        return Err(Fault::DomainLength { bytes });
    }
    if !domain.split('.').all(is_label) {
        return Err(Fault::DomainLabel);
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_MAX_BYTES).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn check_whole(text: &str) -> Result<(), Fault> {
    if text.len() > Email::MAX_BYTES {
        return Err(Fault::TooLong {
            bytes: text.len(),
            limit: Email::MAX_BYTES,
        });
    }
    if text.chars().any(text::is_forbidden) {
        return Err(Fault::ForbiddenCharacter);
    }
    Ok(())
}

// Personal data, and `Debug` output ends up in logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email(<{} bytes>)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Case, Email, by_the_rule, is_of_several, is_one_address};
    use crate::model::fault::{Fault, Field, FieldError};
    use crate::model::text;

    #[track_caller]
    fn taken(text: &str, canonical: &str) {
        let email = Email(canonical.to_owned());
        assert_eq!(Email::parse(text).as_ref(), Ok(&email), "{text}");
        assert_eq!(Email::parse(canonical).as_ref(), Ok(&email), "{text}");
        // Owned text gives the same.
        assert_eq!(Email::take(text.to_owned()).as_ref(), Ok(&email), "{text}");
    }

    #[track_caller]
    fn refused(text: &str, fault: Fault) {
        let error = FieldError::new(Field::Email, fault);
        assert_eq!(Email::parse(text), Err(error), "{text}");
    }

    /// A domain of `bytes` bytes, in labels of one letter, the last of one or two.
    fn domain(bytes: usize) -> String {
        let labels = "a.".repeat(bytes.saturating_sub(1) / 2);
        let last = bytes.saturating_sub(labels.len());
        labels + &"b".repeat(last)
    }

    #[test]
    fn r5_one_address_has_one_canonical_form() {
        taken("ann@example.com", "ann@example.com");
        taken(" \t\u{A0}ann@example.com\u{3000}\n", "ann@example.com");
        taken("Ann@Example.COM", "ann@example.com");
        taken("ann@example.com.", "ann@example.com");
        taken("ann@localhost", "ann@localhost");
        taken("ann@1.2.3.4", "ann@1.2.3.4");
        taken("ann@a-b.x--y.com", "ann@a-b.x--y.com");
        taken("ann@XN--E1AFMKFD.com", "ann@xn--e1afmkfd.com");
    }

    #[test]
    fn r5_dots_and_tags_are_not_folded() {
        for text in [
            "a.n.n@gmail.com",
            "ann+tag@gmail.com",
            ".ann.@x.com",
            "ann'o@x.com",
            "a..b@x.com",
            "!#$%&*/=?^_`{|}~@x.com",
        ] {
            taken(text, text);
        }
    }

    #[test]
    fn r5_only_ascii_letters_of_the_local_part_are_lower_cased() {
        taken("АНЯ.Ann@x.com", "АНЯ.ann@x.com");
        taken("İÉ\u{FF21}ẞ@x.com", "İÉ\u{FF21}ẞ@x.com");
        taken("E\u{301}@x.com", "e\u{301}@x.com");
    }

    // K7: several addresses, one with a name, a link.
    #[test]
    fn r5_what_is_not_one_plain_address_is_refused() {
        for text in [
            "a@b.com;c@d.com",
            "a@b.com,c@d.com",
            "a;c@d.com",
            "a,c@d.com",
            "a@B@C.com",
            "@@c.com",
            "ann@@example.com",
            "mailto:ann@example.com",
            "<ann@example.com",
            "Ann<ann@example.com",
            "\"ann\"@example.com",
            "ann(home)@example.com",
            "ann[1]@example.com",
            "an\\n@example.com",
            "wrong()[]\",:;<>@@gmail.com",
        ] {
            refused(text, Fault::NotOneAddress);
        }
        refused("Ann <ann@example.com>", Fault::LocalPartWhiteSpace);
        refused("a@b.com; c@d.com", Fault::LocalPartWhiteSpace);
        refused("ann@example.com>", Fault::DomainLabel);
        refused("ann@example.com,", Fault::DomainLabel);
        refused("ann@example.com;bob", Fault::DomainLabel);
        taken("test@test", "test@test");
        taken("root@localhost", "root@localhost");
    }

    #[test]
    fn r7_an_address_of_an_earlier_version_is_canonical_where_it_is_stored() {
        for text in [
            "a@b.com;c@d.com",
            "wrong()[]\",:;<>@@gmail.com",
            "ann@x.com",
        ] {
            assert!(Email::from_stored(text.to_owned()).is_canonical(), "{text}");
        }
        for text in [
            "Ann@x.com",
            " ann@x.com",
            "ann@x.com.",
            "ann",
            "a b@x.com",
            "a\0@x.com",
        ] {
            assert!(
                !Email::from_stored(text.to_owned()).is_canonical(),
                "{text}"
            );
        }
    }

    #[test]
    fn r5_the_last_at_sign_splits() {
        refused("ann", Fault::NoAtSign);
        refused("example.com", Fault::NoAtSign);
        refused("ann\u{FF20}example.com", Fault::NoAtSign);
        refused("@", Fault::LocalPartLength { bytes: 0 });
        refused("@example.com", Fault::LocalPartLength { bytes: 0 });
        refused("ann@", Fault::DomainLength { bytes: 0 });
        refused("ann@example.com@", Fault::NotOneAddress);
    }

    #[test]
    fn r5_the_local_part_has_1_to_64_bytes() {
        for local in ["a".repeat(64), "ї".repeat(32)] {
            let text = format!("{local}@x.com");
            taken(&text, &text);
        }
        refused(
            &format!("{}@x.com", "a".repeat(65)),
            Fault::LocalPartLength { bytes: 65 },
        );
        refused(
            &format!("a{}@x.com", "ї".repeat(32)),
            Fault::LocalPartLength { bytes: 65 },
        );
    }

    #[test]
    fn r5_the_local_part_has_no_white_space() {
        for c in ('\0'..=char::MAX).filter(|c| text::is_white_space(*c)) {
            for text in [
                format!("a{c}b@x.com"),
                format!("a{c}@x.com"),
                format!("a@{c}b@x.com"),
            ] {
                refused(&text, Fault::LocalPartWhiteSpace);
            }
        }
    }

    #[test]
    fn r5_the_domain_has_1_to_253_bytes() {
        let longest = domain(253);
        // With one byte and the `@` before it, 253 bytes of domain are over 254 in all.
        refused(
            &format!("a@{longest}"),
            Fault::TooLong {
                bytes: 255,
                limit: 254,
            },
        );
        refused(
            &format!("a@{}", domain(254)),
            Fault::DomainLength { bytes: 254 },
        );
        refused(
            &format!("a@{}", domain(300)),
            Fault::DomainLength { bytes: 300 },
        );
        refused("ann@.", Fault::DomainLength { bytes: 0 });
    }

    #[test]
    fn r5_the_whole_has_at_most_254_bytes() {
        let longest = format!("a@{}", domain(252));
        taken(&longest, &longest);
        taken(&format!("  {longest}.  "), &longest);
        let longest = format!("{}@{}", "a".repeat(64), domain(189));
        taken(&longest, &longest);
        refused(
            &format!("aa@{}", domain(252)),
            Fault::TooLong {
                bytes: 255,
                limit: 254,
            },
        );
        refused(
            &format!("{}@{}", "a".repeat(64), domain(190)),
            Fault::TooLong {
                bytes: 255,
                limit: 254,
            },
        );
    }

    #[test]
    fn r5_a_label_is_1_to_63_letters_digits_and_inner_hyphens() {
        let label = "a".repeat(63);
        taken(&format!("a@{label}.{label}"), &format!("a@{label}.{label}"));
        taken("a@0", "a@0");
        refused(&format!("a@{label}a"), Fault::DomainLabel);
        let refused_domains = [
            ".com",
            "x..com",
            "x.com..",
            "..",
            "-x.com",
            "x-.com",
            "x.-",
            "-",
            "x_y.com",
            "x y.com",
            "x\t.com",
            "x!.com",
            "[1.2.3.4]",
            "x.com:25",
            "x,com",
            "<x.com>",
            "x/y",
            "x\0.com",
            "x\u{7F}",
        ];
        for domain in refused_domains {
            refused(&format!("ann@{domain}"), Fault::DomainLabel);
        }
        refused("ann@ x.com", Fault::DomainLabel);
        refused("ann@x.com .", Fault::DomainLabel);
    }

    #[test]
    fn r1_only_white_space_is_blank() {
        for text in ["", " ", "\t\n", "\u{A0}\u{2028}"] {
            refused(text, Fault::Blank);
        }
    }

    #[test]
    fn r6_the_local_part_has_no_forbidden_character() {
        for c in ('\0'..=char::MAX).filter(|c| text::is_forbidden(*c)) {
            let fault = if text::is_white_space(c) {
                Fault::LocalPartWhiteSpace
            } else {
                Fault::ForbiddenCharacter
            };
            refused(&format!("a{c}b@x.com"), fault);
        }
    }

    #[test]
    fn r5_every_character_of_one_local_part_is_kept() {
        for c in ('\0'..=char::MAX).filter(|c| !text::is_forbidden(*c) && !text::is_white_space(*c))
        {
            let text = format!("a{c}b@x.com");
            if "@,;:<>()[]\\\"".contains(c) {
                assert!(is_of_several(c));
                refused(&text, Fault::NotOneAddress);
            } else {
                taken(&text, &format!("a{}b@x.com", c.to_ascii_lowercase()));
            }
        }
    }

    #[test]
    fn faults_come_in_the_order_documented() {
        refused(
            &format!("{} @é..", "a".repeat(64)),
            Fault::LocalPartLength { bytes: 65 },
        );
        refused("a b,\0@é..", Fault::LocalPartWhiteSpace);
        refused("a,\0@é..", Fault::NotOneAddress);
        refused(
            &format!("a\0@{}", "-".repeat(254)),
            Fault::DomainLength { bytes: 254 },
        );
        refused(&format!("a\0@{}", "-".repeat(253)), Fault::DomainLabel);
        refused(
            &format!("\0@{}", domain(253)),
            Fault::TooLong {
                bytes: 255,
                limit: 254,
            },
        );
        refused("a\0@x.com", Fault::ForbiddenCharacter);
    }

    #[cfg(not(feature = "idn"))]
    #[test]
    fn r5_without_idn_a_non_ascii_domain_is_refused() {
        for domain in [
            "приклад.укр",
            "bücher.example",
            "x.com\u{3002}",
            "\u{FF58}.com",
            "x\u{AD}.com",
            "x.com\u{200B}",
        ] {
            refused(&format!("ann@{domain}"), Fault::NonAsciiDomain);
        }
    }

    #[cfg(feature = "idn")]
    mod with_idn {
        use super::{domain, refused, taken};
        use crate::model::fault::Fault;

        #[test]
        fn r5_a_non_ascii_domain_goes_through_idna() {
            taken("Ann@Приклад.УКР", "ann@xn--80aikifvh.xn--j1amh");
            taken("ann@bücher.example.", "ann@xn--bcher-kva.example");
            taken("ann@bu\u{308}cher.example", "ann@xn--bcher-kva.example");
            taken("ann@faß.de", "ann@xn--fa-hia.de");
            taken("ann@\u{FF38}.com", "ann@x.com");
            taken("ann@x\u{3002}com", "ann@x.com");
            // IDNA drops what cannot be seen; R6 is about what is left.
            taken("ann@x\u{AD}.com\u{200B}", "ann@x.com");
        }

        #[test]
        fn r5_idna_is_strict() {
            let refused_domains = [
                "é_x.com",
                "é..com",
                ".é",
                "é..",
                "-é.com",
                "é-.com",
                "ab--é.com",
                "\u{301}a.com",
                "é x.com",
                "é\0.com",
                "\u{AD}",
                "é.com\u{3002}",
                "x\u{FF20}é.com",
                "é\u{202E}.com",
                "a\u{FFFF}.com",
                "xn--0.é",
            ];
            for domain in refused_domains {
                refused(&format!("ann@{domain}"), Fault::Idna);
            }
            refused(&format!("ann@{}.é", "a".repeat(64)), Fault::Idna);
        }

        #[test]
        fn r5_limits_are_those_of_the_canonical_form() {
            let long = domain(230);
            taken(&format!("ann@é.{long}"), &format!("ann@xn--9ca.{long}"));
            let longer = domain(244);
            refused(
                &format!("ann@é.{longer}"),
                Fault::TooLong {
                    bytes: 256,
                    limit: 254,
                },
            );
            refused(&format!("ann@é.{}", domain(246)), Fault::Idna);
        }
    }

    #[test]
    fn r52_debug_shows_the_length_only() {
        assert_eq!(
            Email::parse("Ann@example.com").map(|email| format!("{email:?} {:#?}", Some(&email))),
            Ok("Email(<15 bytes>) Some(\n    Email(<15 bytes>),\n)".to_owned())
        );
    }

    fn check(text: &str) -> Result<(), TestCaseError> {
        assert_plain_agrees(text);
        if let Ok(email) = Email::parse(text) {
            prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
            prop_assert_eq!(Email::take(text.to_owned()), Ok(email.clone()));
            prop_assert!(email.0.len() <= 254);
            prop_assert!(!email.0.chars().any(text::is_forbidden));
        }
        Ok(())
    }

    /// What is plain to see is what the rule says.
    #[track_caller]
    fn assert_plain_agrees(text: &str) {
        let canonical = match Case::of_plain(text) {
            Some(Case::Lower) => text.to_owned(),
            Some(Case::Mixed) => text.to_ascii_lowercase(),
            None => return,
        };
        assert_eq!(by_the_rule(text, is_one_address), Ok(canonical), "{text:?}");
    }

    #[test]
    fn r7_the_fast_path_agrees_with_the_definition_on_all_short_texts() {
        let alphabet = [
            "a", "B", "0", ".", "-", "@", "+", ",", " ", "\t", "é", "\u{AD}",
        ];
        let long = [
            "a".repeat(63),
            "a".repeat(64),
            "a@".to_owned() + &domain(250),
        ];
        let mut texts: Vec<String> = std::iter::once(String::new()).chain(long).collect();
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
        assert_eq!(Case::of_plain("ann.b+c@mail.x-y.com"), Some(Case::Lower));
        assert_eq!(Case::of_plain("Ann@Example.com"), Some(Case::Mixed));
        assert_eq!(
            Case::of_plain(&format!("{}@x.com", "a".repeat(64))),
            Some(Case::Lower)
        );
        assert_eq!(
            Case::of_plain(&format!("a@{}", domain(252))),
            Some(Case::Lower)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn r7_parsing_a_canonical_form_gives_it_back(
            text in "[ \u{A0}]?[a-zA-Z.+@,;(\" éЇİ\u{AD}]{1,8}@[a-zA-Z0-9.-]{1,12}[.@ ]{0,2}"
        ) {
            check(&text)?;
        }

        #[test]
        fn r7_parsing_a_plain_canonical_form_gives_it_back(text in "[!-~]{1,66}@[a-zA-Z0-9.-]{1,70}") {
            check(&text)?;
        }

        #[test]
        fn r7_parsing_a_canonical_form_with_a_domain_in_any_script_gives_it_back(
            text in "[a-z]@(xn--)?[a-z0-9éßЇ中ا\u{5D0}\u{301}\u{AD}\u{200C}\u{3002}\u{FF21}.-]{1,12}"
        ) {
            check(&text)?;
        }

        #[test]
        fn r7_no_text_panics(local in any::<String>(), domain in any::<String>()) {
            check(&domain)?;
            check(&format!("{local}@{domain}"))?;
            check(&format!("a@{domain}"))?;
        }
    }
}
