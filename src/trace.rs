//! Spans and events for a host that collects them, with the feature `tracing`. Without it, every
//! function here does nothing.
//!
//! They hold only numbers and fixed words of this crate: no path, since a path may contain a name,
//! and nothing from a request or the file (R52). An error is shown by its `Display`.

#[cfg(feature = "tracing")]
pub(crate) use self::collected::{Span, commit, open, reopen, verify};
#[cfg(not(feature = "tracing"))]
pub(crate) use self::nothing::{Span, commit, open, reopen, verify};

#[cfg(feature = "tracing")]
mod collected {
    use std::fmt::Display;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tracing::field::Empty;
    use tracing::span::EnteredSpan;

    use crate::model::sequence::SequenceNumber;

    /// The name under which a host filters.
    const TARGET: &str = "contact_store";

    /// A span, entered until it is dropped.
    pub(crate) struct Span(Option<EnteredSpan>);

    /// Opening a store.
    pub(crate) fn open() -> Span {
        Span::enter(
            || tracing::info_span!(target: TARGET, "open", bytes = Empty, pages_verified = Empty, sequence = Empty),
        )
    }

    /// Opening a store again after a failure.
    pub(crate) fn reopen() -> Span {
        Span::enter(
            || tracing::info_span!(target: TARGET, "reopen", bytes = Empty, pages_verified = Empty, sequence = Empty),
        )
    }

    /// Committing `rows` changed rows for `requests` requests, which makes the state `sequence`.
    /// Without a row to commit there is no span.
    pub(crate) fn commit(requests: usize, rows: usize, sequence: SequenceNumber) -> Span {
        if rows == 0 {
            return Span(None);
        }
        let sequence = sequence.value();
        Span::enter(|| tracing::debug_span!(target: TARGET, "commit", requests, rows, sequence))
    }

    /// Verifying the state with this number.
    pub(crate) fn verify(sequence: SequenceNumber) -> Span {
        let sequence = sequence.value();
        Span::enter(
            || tracing::info_span!(target: TARGET, "verify", sequence, rows = Empty, problems = Empty),
        )
    }

    impl Span {
        fn enter(span: impl FnOnce() -> tracing::Span) -> Self {
            Span(apart(|| span().entered()))
        }

        /// What was found in the file.
        pub(crate) fn opened(&self, bytes: u64, pages_verified: bool, sequence: SequenceNumber) {
            self.record("bytes", bytes);
            self.record("pages_verified", pages_verified);
            self.record("sequence", sequence.value());
        }

        /// The rows that were read, and the problems found.
        pub(crate) fn verified(&self, rows: u64, problems: u64) {
            self.record("rows", rows);
            self.record("problems", problems);
        }

        /// The operation of the span failed.
        pub(crate) fn failed(&self, error: &impl Display) {
            if let Some(span) = &self.0 {
                apart(|| tracing::error!(target: TARGET, parent: span, %error, "failed"));
            }
        }

        fn record(&self, field: &'static str, value: impl tracing::Value) {
            if let Some(span) = &self.0 {
                apart(|| {
                    span.record(field, value);
                });
            }
        }
    }

    impl Drop for Span {
        fn drop(&mut self) {
            if let Some(span) = self.0.take() {
                apart(|| drop(span));
            }
        }
    }

    /// Calls the collector. It is foreign code, whose panic must not end the writer (R48).
    fn apart<T>(call: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(call)).ok()
    }
}

#[cfg(not(feature = "tracing"))]
mod nothing {
    use std::fmt::Display;

    use crate::model::sequence::SequenceNumber;

    pub(crate) struct Span;

    pub(crate) fn open() -> Span {
        Span
    }

    pub(crate) fn reopen() -> Span {
        Span
    }

    pub(crate) fn commit(_: usize, _: usize, _: SequenceNumber) -> Span {
        Span
    }

    pub(crate) fn verify(_: SequenceNumber) -> Span {
        Span
    }

    impl Span {
        pub(crate) fn opened(&self, _: u64, _: bool, _: SequenceNumber) {}

        pub(crate) fn verified(&self, _: u64, _: u64) {}

        pub(crate) fn failed(&self, _: &impl Display) {}
    }
}
