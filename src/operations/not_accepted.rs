//! Why an entry of a request was not accepted, so that deciding it can end early with `?`.

use crate::error::{EntryError, Error};
use crate::limits::LimitExceeded;
use crate::storage::Failure;

/// Why an entry was not accepted.
pub(crate) enum NotAccepted<R = EntryError> {
    /// The rules or the limits refuse it. That is the outcome of this entry alone.
    Refused(R),
    /// Reading or writing failed. That ends the whole request.
    Failed(Failure),
}

impl From<EntryError> for NotAccepted {
    fn from(error: EntryError) -> Self {
        NotAccepted::Refused(error)
    }
}

impl From<LimitExceeded> for NotAccepted {
    fn from(exceeded: LimitExceeded) -> Self {
        NotAccepted::Refused(exceeded.into())
    }
}

impl<R> From<Failure> for NotAccepted<R> {
    fn from(failure: Failure) -> Self {
        NotAccepted::Failed(failure)
    }
}

impl From<NotAccepted<LimitExceeded>> for NotAccepted {
    fn from(why: NotAccepted<LimitExceeded>) -> Self {
        match why {
            NotAccepted::Refused(exceeded) => exceeded.into(),
            NotAccepted::Failed(failure) => failure.into(),
        }
    }
}

/// For a request that is itself its only entry.
impl From<NotAccepted<LimitExceeded>> for Error {
    fn from(why: NotAccepted<LimitExceeded>) -> Self {
        match why {
            NotAccepted::Refused(exceeded) => exceeded.into(),
            NotAccepted::Failed(failure) => failure.into(),
        }
    }
}
