//! Reading JSON values without ever passing on the parser's own text (R52).
//!
//! Text is checked once as a whole. Values read from it later are known to be JSON, so only their
//! types and members can be wrong. This module knows no request.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{JsonError, JsonFault};

/// The byte order mark, in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One JSON value: its text, which is known to be JSON.
///
/// Nothing here recurses into values, so no depth of nesting exhausts the stack.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(&'a RawValue);

/// Adds the place to a fault.
pub(super) fn at(path: impl Into<String>) -> impl FnOnce(JsonFault) -> JsonError {
    // Only where there is a fault is the text of the path made.
    move |fault| JsonError {
        path: path.into(),
        fault,
    }
}

impl<'a> Value<'a> {
    /// Reads one value from bytes that hold nothing else.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, JsonFault> {
        if bytes.starts_with(BYTE_ORDER_MARK) {
            return Err(JsonFault::ByteOrderMark);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| JsonFault::NotUtf8 {
            byte: error.valid_up_to(),
        })?;
        serde_json::from_str(text)
            .map(Value)
            .map_err(|error| syntax(&error))
    }

    /// The type of the value, in words that reveal nothing of its content.
    pub(super) fn kind(self) -> &'static str {
        match self.0.get().as_bytes().first() {
            Some(b'n') => "null",
            Some(b't' | b'f') => "boolean",
            Some(b'"') => "string",
            Some(b'[') => "array",
            Some(b'{') => "object",
            _ => "number",
        }
    }

    fn wrong_type(self, expected: &'static str) -> JsonFault {
        JsonFault::WrongType {
            expected,
            found: self.kind(),
        }
    }

    /// The value, unless it is `null`, which is treated as absent (R1).
    pub(super) fn given(self) -> Option<Self> {
        (self.kind() != "null").then_some(self)
    }

    /// A string.
    pub(super) fn text(self) -> Result<String, JsonFault> {
        self.string("string")
    }

    /// A string. An integer from -2^63 to 2^64-1 counts as its decimal text (R55).
    pub(super) fn text_or_integer(self) -> Result<String, JsonFault> {
        self.text_or_integer_as("string or integer from -2^63 to 2^64-1")
    }

    /// The same. `true` and `false` also count, as these words (R43).
    pub(super) fn text_or_integer_or_boolean(self) -> Result<String, JsonFault> {
        if self.kind() == "boolean" {
            return Ok(self.0.get().to_owned());
        }
        self.text_or_integer_as("string, boolean or integer from -2^63 to 2^64-1")
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Result<bool, JsonFault> {
        match self.0.get() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong_type("boolean")),
        }
    }

    /// `true` or `false`, or one of these words as a string: the query of a URL has strings alone.
    pub(super) fn boolean_or_text(self) -> Result<bool, JsonFault> {
        match self.0.get() {
            "true" | "\"true\"" => Ok(true),
            "false" | "\"false\"" => Ok(false),
            _ => Err(self.wrong_type("boolean or its text")),
        }
    }

    fn text_or_integer_as(self, expected: &'static str) -> Result<String, JsonFault> {
        const RANGE: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;
        match self.integer() {
            Some(Ok(integer)) if RANGE.contains(&integer) => Ok(integer.to_string()),
            Some(_) => Err(self.wrong_type(expected)),
            None => self.string(expected),
        }
    }

    /// An integer from 0 to 2^64-1.
    pub(super) fn count(self) -> Result<u64, JsonFault> {
        self.integer()
            .and_then(Result::ok)
            .and_then(|integer| u64::try_from(integer).ok())
            .ok_or_else(|| self.wrong_type("integer from 0 to 2^64-1"))
    }

    /// A string, or an integer of any size.
    ///
    /// One that is too large for `i128` is given as `i128::MAX`, which is out of every range.
    pub(super) fn integer_or_text(self) -> Result<IntegerOrText, JsonFault> {
        const EXPECTED: &str = "integer or decimal string";
        match self.integer() {
            Some(Ok(integer)) => Ok(IntegerOrText::Integer(integer)),
            Some(Err(NotAnInteger::TooLarge)) => Ok(IntegerOrText::Integer(i128::MAX)),
            Some(Err(NotAnInteger::FractionOrExponent)) => Err(self.wrong_type(EXPECTED)),
            None => self.string(EXPECTED).map(IntegerOrText::Text),
        }
    }

    /// The value as an integer. `None` when it is not a number. `-0` is the integer 0.
    fn integer(self) -> Option<Result<i128, NotAnInteger>> {
        if self.kind() != "number" {
            return None;
        }
        let text = self.0.get();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Err(NotAnInteger::FractionOrExponent));
        }
        Some(text.parse().map_err(|_| NotAnInteger::TooLarge))
    }

    fn string(self, expected: &'static str) -> Result<String, JsonFault> {
        if self.kind() != "string" {
            return Err(self.wrong_type(expected));
        }
        // The text is known to be JSON, so nothing else can be wrong with a string.
        serde_json::from_str(self.0.get()).map_err(|_| JsonFault::LoneSurrogate)
    }

    /// The members of an object that may have only these.
    pub(super) fn members<const N: usize>(
        self,
        known: &[&'static str; N],
    ) -> Result<[Option<Value<'a>>; N], JsonFault> {
        if self.kind() != "object" {
            return Err(self.wrong_type("object"));
        }
        let mut members = [None; N];
        let mut fault = None;
        let read = serde_json::Deserializer::from_str(self.0.get()).deserialize_map(Members {
            known,
            members: &mut members,
            fault: &mut fault,
        });
        match (fault, read) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(syntax(&error)),
            (None, Ok(())) => Ok(members),
        }
    }

    /// The members of an object that may have any names, in order.
    pub(super) fn entries(self) -> Result<Vec<(String, Value<'a>)>, JsonFault> {
        if self.kind() != "object" {
            return Err(self.wrong_type("object"));
        }
        let mut fault = None;
        let read = serde_json::Deserializer::from_str(self.0.get())
            .deserialize_map(Entries { fault: &mut fault });
        match (fault, read) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(syntax(&error)),
            (None, Ok(entries)) => Ok(entries),
        }
    }

    /// The first `most` elements of an array, and the number of all.
    pub(super) fn elements(self, most: usize) -> Result<(Vec<Value<'a>>, usize), JsonFault> {
        if self.kind() != "array" {
            return Err(self.wrong_type("array"));
        }
        serde_json::Deserializer::from_str(self.0.get())
            .deserialize_seq(Elements { most })
            .map_err(|error| syntax(&error))
    }
}

/// The JSON value of a contact id.
pub(super) enum IntegerOrText {
    Integer(i128),
    Text(String),
}

/// Why a number is not an integer that a request can mean.
enum NotAnInteger {
    FractionOrExponent,
    TooLarge,
}

// Only the place is kept: the parser's message may quote the text (R52).
fn syntax(error: &serde_json::Error) -> JsonFault {
    JsonFault::Syntax {
        line: error.line(),
        column: error.column(),
    }
}

struct Members<'k, 'm, 'a, const N: usize> {
    known: &'k [&'static str; N],
    members: &'m mut [Option<Value<'a>>; N],
    fault: &'m mut Option<JsonFault>,
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, '_, 'de, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name(self.known))? {
            let fault = match name {
                Ok(place) => match self.members.get_mut(place) {
                    Some(member @ None) => {
                        *member = Some(Value(map.next_value()?));
                        continue;
                    }
                    _ => JsonFault::Repeated(self.known.get(place).copied().unwrap_or_default()),
                },
                Err(unknown) => unknown,
            };
            // Nothing after the first fault is read: there may be millions of members.
            *self.fault = Some(fault);
            return Err(A::Error::custom(""));
        }
        Ok(())
    }
}

/// Reads the name of a member: its index among the known names, or its fault.
///
/// It reads bytes, not text: a name may hold half a surrogate pair, and is then simply unknown.
struct Name<'k, const N: usize>(&'k [&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Name<'_, N> {
    type Value = Result<usize, JsonFault>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_bytes(self)
    }
}

impl<const N: usize> Visitor<'_> for Name<'_, N> {
    type Value = Result<usize, JsonFault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        let place = self.0.iter().position(|known| known.as_bytes() == name);
        Ok(place.ok_or_else(|| unknown_member(name)))
    }
}

struct Entries<'m> {
    fault: &'m mut Option<JsonFault>,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Vec<(String, Value<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        while let Some(name) = map.next_key_seed(AnyName)? {
            let fault = match name {
                Ok(name) if names.insert(name.clone()) => {
                    entries.push((name, Value(map.next_value()?)));
                    continue;
                }
                Ok(name) => JsonFault::RepeatedUnnamed { bytes: name.len() },
                Err(fault) => fault,
            };
            *self.fault = Some(fault);
            return Err(A::Error::custom(""));
        }
        Ok(entries)
    }
}

/// Reads any name of a member, as bytes like [`Name`].
struct AnyName;

impl<'de> DeserializeSeed<'de> for AnyName {
    type Value = Result<String, JsonFault>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_bytes(self)
    }
}

impl Visitor<'_> for AnyName {
    type Value = Result<String, JsonFault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        let name = std::str::from_utf8(name).map_err(|_| JsonFault::LoneSurrogate);
        Ok(name.map(str::to_owned))
    }
}

/// Whether the name of a member may be shown (R52): a phone, an email or a token in the place of a
/// name must not appear in an error.
pub(super) fn may_be_shown(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    (1..=64).contains(&name.len()) && name.iter().all(plain) && !name.iter().all(u8::is_ascii_digit)
}

/// The fault of an unknown member. Its name is shown only if it is unlikely to be a value.
pub(super) fn unknown_member(name: &[u8]) -> JsonFault {
    match std::str::from_utf8(name) {
        Ok(shown) if may_be_shown(name) => JsonFault::Unknown(shown.to_owned()),
        _ => JsonFault::UnknownUnnamed { bytes: name.len() },
    }
}

struct Elements {
    most: usize,
}

impl<'de> Visitor<'de> for Elements {
    type Value = (Vec<Value<'de>>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.most {
            match seq.next_element()? {
                Some(element) => elements.push(Value(element)),
                None => {
                    let count = elements.len();
                    return Ok((elements, count));
                }
            }
        }
        // The rest are counted and not kept.
        let mut count = elements.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(1);
        }
        Ok((elements, count))
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::error::JsonFault;

    #[track_caller]
    fn refused<T>(read: Result<T, JsonFault>, fault: &JsonFault) {
        assert_eq!(read.err().as_ref(), Some(fault));
    }

    fn value(text: &str) -> Value<'_> {
        match Value::parse(text.as_bytes()) {
            Ok(value) => value,
            Err(_) => Value(serde_json::value::RawValue::NULL),
        }
    }

    #[test]
    fn any_depth_of_nesting_is_skipped() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let depth = 1 << 20;
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let text = format!("[{text},2]");
            let read = value(&text).elements(9);
            assert_eq!(
                read.map(|(elements, count)| (elements.len(), count)),
                Ok((2, 2))
            );
            refused(
                Value::parse(open.repeat(depth).as_bytes()),
                &JsonFault::Syntax {
                    line: 1,
                    column: open.len() << 20,
                },
            );
        }
    }

    #[test]
    fn elements_over_the_limit_are_counted_but_not_kept() {
        let text = format!("[{}1]", "1,".repeat(1_000_000));
        let read = value(&text).elements(3);
        assert_eq!(
            read.map(|(elements, count)| (elements.len(), count)),
            Ok((3, 1_000_001))
        );
    }

    #[test]
    fn r55_numbers_that_count_as_text() {
        let rows = [
            ("0", Some("0")),
            ("-0", Some("0")),
            ("7", Some("7")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("-9223372036854775809", None),
            ("18446744073709551615", Some("18446744073709551615")),
            ("18446744073709551616", None),
            ("7.0", None),
            ("7e0", None),
            ("-0.0", None),
            ("1e999999", None),
        ];
        for (text, expected) in rows {
            match expected {
                Some(taken) => assert_eq!(value(text).text_or_integer(), Ok(taken.to_owned())),
                None => refused(
                    value(text).text_or_integer(),
                    &JsonFault::WrongType {
                        expected: "string or integer from -2^63 to 2^64-1",
                        found: "number",
                    },
                ),
            }
        }
        refused(
            value(&"9".repeat(1 << 20)).text_or_integer(),
            &JsonFault::WrongType {
                expected: "string or integer from -2^63 to 2^64-1",
                found: "number",
            },
        );
    }

    #[test]
    fn r52_names_of_unknown_members_are_shown_only_when_plain() {
        let shown = |name: &str| JsonFault::Unknown(name.to_owned());
        let hidden = |bytes| JsonFault::UnknownUnnamed { bytes };
        let rows = [
            (r#"{"a":1}"#.to_owned(), shown("a")),
            (r#"{"app_uuid2":1}"#.to_owned(), shown("app_uuid2")),
            (r#"{"\u0061b":1}"#.to_owned(), shown("ab")),
            (
                format!(r#"{{"{}":1}}"#, "x".repeat(64)),
                shown(&"x".repeat(64)),
            ),
            (format!(r#"{{"{}":1}}"#, "x".repeat(65)), hidden(65)),
            (r#"{"":1}"#.to_owned(), hidden(0)),
            (r#"{"380500000001":1}"#.to_owned(), hidden(12)),
            (r#"{"ann@example.com":1}"#.to_owned(), hidden(15)),
            (r#"{"їжак":1}"#.to_owned(), hidden(8)),
            (r#"{"\ud800":1}"#.to_owned(), hidden(3)),
        ];
        for (text, fault) in rows {
            refused(value(&text).members(&["token"]), &fault);
        }
    }

    #[test]
    fn a_known_member_may_occur_once() {
        for text in [
            r#"{"token":1,"token":2}"#,
            r#"{"token":null,"to\u006ben":null}"#,
        ] {
            refused(
                value(text).members(&["token"]),
                &JsonFault::Repeated("token"),
            );
        }
    }
}
