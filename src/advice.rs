//! What a caller can do about an error.
//!
//! This module does not know what the caller asked for.

use crate::error::{CopyError, DatabaseError, Error, OpenError, StorageError};

/// What a caller can do about an [`Error`], from [`Error::advice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing was done, and the same call may succeed later.
    TryAgain,
    /// The store refuses writes until it is reopened, with
    /// [`ContactStore::reopen`](crate::ContactStore::reopen) or by
    /// [`ContactStore::keep_open`](crate::ContactStore::keep_open). The number found says whether a
    /// request with [`Error::Indeterminate`] is in the store.
    Reopen,
    /// The call itself is wrong: the same call fails again.
    MendTheCall,
    /// Neither trying again nor reopening helps: an operator has to look.
    Stop,
}

impl Error {
    /// Returns what a caller can do about the error.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// let request = AddTokens::new(AppId::from_u128(7));
    /// if let Err(error) = store.add_tokens(request).wait() {
    ///     let status = match error.advice() {
    ///         Advice::MendTheCall => 400,
    ///         Advice::TryAgain | Advice::Reopen => 503,
    ///         _ => 500,
    ///     };
    ///     assert_eq!(status, 400); // the app is not connected
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Error::UnknownApp(_)
            | Error::EntryRefused { .. }
            | Error::Field(_)
            | Error::NothingGiven
            | Error::Recipient(_)
            | Error::Merge(_)
            | Error::LimitExceeded(_)
            | Error::Json(_)
            | Error::ReadOnly
            | Error::ChangesNotKept { .. }
            | Error::ChangesAhead { .. }
            | Error::IdempotencyKeyReused
            | Error::AnswersNotKept
            | Error::AnswerTaken => Advice::MendTheCall,
            Error::Busy { .. } | Error::SnapshotExpired => Advice::TryAgain,
            // It was not written, and the store goes on.
            Error::Storage(StorageError::Database(error)) => database_advice(*error),
            // Reopening verifies the file, and says when it is damaged.
            Error::Indeterminate { .. } | Error::NeedsReopen | Error::Storage(_) => Advice::Reopen,
            // After `FileMoved` only the return of the file to its path helps (R69).
            Error::FileMoved | Error::Panicked | Error::Closed | Error::CloseIncomplete(_) => {
                Advice::Stop
            }
            Error::Copy(error) => copying(error),
            Error::Open(error) => opening(error),
        }
    }
}

fn copying(error: &CopyError) -> Advice {
    match error {
        CopyError::AlreadyExists | CopyError::NotAFile | CopyError::NoFile => Advice::MendTheCall,
        // A fault of the copy, not of the store: usually a full disk.
        CopyError::AlreadyRunning
        | CopyError::Cancelled
        | CopyError::Random
        | CopyError::Storage(_) => Advice::TryAgain,
    }
}

fn opening(error: &OpenError) -> Advice {
    match error {
        OpenError::AlreadyOpen | OpenError::Io(_) | OpenError::Thread(_) | OpenError::Random => {
            Advice::TryAgain
        }
        OpenError::NotFound
        | OpenError::AlreadyExists
        | OpenError::SymbolicLink
        | OpenError::NotAFile
        | OpenError::LimitTooHigh(_)
        | OpenError::LimitZero(_) => Advice::MendTheCall,
        OpenError::Empty
        | OpenError::HalfCreated
        | OpenError::Foreign
        | OpenError::OldFormat { .. }
        | OpenError::NewerFormat { .. }
        | OpenError::OtherCanonicalForms { .. }
        | OpenError::Damaged(_) => Advice::Stop,
        OpenError::Database(error) => database_advice(*error),
    }
}

fn database_advice(error: DatabaseError) -> Advice {
    match error {
        DatabaseError::Unreachable
        | DatabaseError::ReadOnlyServer
        | DatabaseError::Contended
        | DatabaseError::NoConnection { .. }
        | DatabaseError::Full => Advice::TryAgain,
        DatabaseError::Url | DatabaseError::RootCertificate => Advice::MendTheCall,
        DatabaseError::Refused
        | DatabaseError::Tls
        | DatabaseError::NotOurSchema
        | DatabaseError::NewerSchema { .. }
        | DatabaseError::OldSchema { .. }
        | DatabaseError::Encoding
        | DatabaseError::Isolation
        | DatabaseError::SynchronousCommitOff
        | DatabaseError::Statement(_) => Advice::Stop,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::error::EntryError;
    use crate::model::sequence::SequenceNumber;

    #[test]
    fn every_error_says_what_to_do_about_it() {
        let io = || Arc::new(io::Error::from(io::ErrorKind::StorageFull));
        let rows = [
            (Error::NothingGiven, Advice::MendTheCall),
            (
                Error::EntryRefused {
                    index: 0,
                    error: EntryError::NoIdentifier,
                },
                Advice::MendTheCall,
            ),
            (
                Error::Busy {
                    waiting_requests: 1,
                    waiting_text_bytes: 1,
                },
                Advice::TryAgain,
            ),
            (Error::SnapshotExpired, Advice::TryAgain),
            (
                Error::Indeterminate {
                    sequence: SequenceNumber::new(1),
                    cause: StorageError::Io(io()),
                },
                Advice::Reopen,
            ),
            (Error::NeedsReopen, Advice::Reopen),
            (Error::Storage(StorageError::Stopped), Advice::Reopen),
            (Error::FileMoved, Advice::Stop),
            (Error::Closed, Advice::Stop),
            (Error::Panicked, Advice::Stop),
            (OpenError::AlreadyOpen.into(), Advice::TryAgain),
            (OpenError::Io(io()).into(), Advice::TryAgain),
            (OpenError::NotFound.into(), Advice::MendTheCall),
            (OpenError::Damaged("a page").into(), Advice::Stop),
            (OpenError::Foreign.into(), Advice::Stop),
        ];
        for (error, advice) in rows {
            assert_eq!(error.advice(), advice, "{error}");
        }
    }
}
