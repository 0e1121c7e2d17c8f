//! Idempotency keys: what a request is repeated under, and for how long its answer is kept (R64).
//!
//! This module does not know where answers are kept.

use std::fmt;
use std::time::Duration;

use crate::limits::{ANSWERS_KEPT, IDEMPOTENCY_KEY_BYTES, LimitTooHigh, LimitZero};
use crate::model::fault::{Field, FieldError};
use crate::model::text;
use crate::model::time::Timestamp;

/// The key under which a caller makes a request and repeats it ([R64](crate::rulebook#r64)). It is a
/// secret.
///
/// The caller makes it up: one for each request, the same for each repetition. A random UUID will do.
/// It has no `Display`, and its `Debug` is masked. The store keeps a keyed hash of it, never its text.
///
/// ```
/// # use contact_store::IdempotencyKey;
/// let key = IdempotencyKey::parse("0b9e7d52-3c1f-4c57-9c52-8f7d5a0e1f11")?;
/// assert_eq!(format!("{key:?}"), "IdempotencyKey(<secret>)");
/// # Ok::<(), contact_store::FieldError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space, longer than 128 bytes
    /// ([`IDEMPOTENCY_KEY_BYTES`]), or holds a character that is refused ([R6](crate::rulebook#r6)).
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        match text::opaque(&text, IDEMPOTENCY_KEY_BYTES) {
            Ok(()) => Ok(IdempotencyKey(text)),
            Err(fault) => Err(FieldError::new(Field::IdempotencyKey, fault)),
        }
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(<secret>)")
    }
}

/// For how long the answers of requests with an [`IdempotencyKey`] are kept, and how many of them
/// ([R64](crate::rulebook#r64)). The default is 1,000,000 answers for 24 hours.
///
/// An answer whose time is over counts as none. Each new one removes up to four of the oldest that are
/// over either bound. The answer of a request with one entry takes about 130 bytes of the file.
///
/// ```
/// # use contact_store::{ContactStore, KeepAnswers, Options};
/// # use std::time::Duration;
/// let keep = KeepAnswers::default().within(Duration::from_secs(3_600)).answers(100_000);
/// let store = ContactStore::open_in_memory(Options::default().keep_answers(keep))?;
/// # Ok::<(), contact_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAnswers {
    within: Duration,
    answers: u64,
}

impl Default for KeepAnswers {
    fn default() -> Self {
        KeepAnswers {
            within: Duration::from_secs(24 * 60 * 60),
            answers: 1_000_000,
        }
    }
}

impl KeepAnswers {
    /// Sets the time, by the clock of the store, within which a request may be repeated: at least a
    /// millisecond. Fractions of a millisecond are dropped.
    #[must_use]
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Sets the number of answers to keep, 1 to 10,000,000
    /// ([`ANSWERS_KEPT`](crate::limits::ANSWERS_KEPT)).
    ///
    /// It should be well over the number of requests with a key that come within the time. When there
    /// are more, the oldest answers go before their time, and such a request is done again when it is
    /// repeated.
    #[must_use]
    pub const fn answers(mut self, answers: u64) -> Self {
        self.answers = answers;
        self
    }

    pub(crate) const fn most(self) -> u64 {
        self.answers
    }

    fn within_millis(self) -> u64 {
        u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the time of an answer that was given at `at` is over at `now`.
    pub(crate) fn is_over(self, at: Timestamp, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(at.as_millis()) > self.within_millis()
    }

    pub(crate) fn refuse_zero(self) -> Result<(), LimitZero> {
        let bounds = [
            ("keep_answers.answers", self.answers),
            ("keep_answers.within", self.within_millis()),
        ];
        let mut zero = bounds.into_iter().filter(|(_, set)| *set == 0);
        zero.next()
            .map_or(Ok(()), |(name, _)| Err(LimitZero { name }))
    }

    pub(crate) fn validate(self) -> Result<(), LimitTooHigh> {
        let set = usize::try_from(self.answers).unwrap_or(usize::MAX);
        LimitTooHigh::check("keep_answers.answers", set, ANSWERS_KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::Fault;

    #[test]
    fn r64_a_key_is_1_to_128_bytes_and_no_part_of_it_is_shown() {
        for text in ["k", &"k".repeat(128)] {
            let key = IdempotencyKey::parse(text);
            assert_eq!(key.as_ref().map(IdempotencyKey::reveal), Ok(text));
            assert_eq!(format!("{key:?}"), "Ok(IdempotencyKey(<secret>))");
        }
        for (text, fault) in [
            ("", Fault::Blank),
            (" ", Fault::Blank),
            ("a\nb", Fault::ForbiddenCharacter),
            (
                &"k".repeat(129),
                Fault::TooLong {
                    bytes: 129,
                    limit: 128,
                },
            ),
        ] {
            let refused = FieldError::new(Field::IdempotencyKey, fault);
            assert_eq!(IdempotencyKey::parse(text), Err(refused));
        }
    }

    #[test]
    fn r64_an_answer_is_over_after_its_time_and_never_before() {
        let keep = KeepAnswers::default().within(Duration::from_millis(100));
        let at = Timestamp::from_millis(1_000);
        for (now, is_over) in [(0, false), (1_000, false), (1_100, false), (1_101, true)] {
            assert_eq!(keep.is_over(at, Timestamp::from_millis(now)), is_over);
        }
        let ever = KeepAnswers::default().within(Duration::MAX);
        assert!(!ever.is_over(at, Timestamp::from_millis(u64::MAX)));
    }
}
