//! How a command can fail: what is said of it, and the exit status.
//!
//! No text here holds a value of a person: the library's errors have none, and paths are the caller's
//! own.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contact_store::transfer::TransferError;
use contact_store::{CopyError, Error, FieldError, OpenError};

use crate::place::Place;

/// Why a command did not do all that it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such thing.
    NotFound(String),
    /// Verifying found this.
    Problems(String),
    /// Comparing found differences, which are printed.
    Different,
    /// The arguments are wrong.
    Usage(String),
    /// A store cannot be opened.
    Open { place: Place, error: OpenError },
    /// A log cannot be read.
    Log { path: PathBuf, error: io::Error },
    /// There is no temporary directory, or it cannot be removed.
    Temporary(io::Error),
    /// A copy was not made.
    Copy { to: PathBuf, error: CopyError },
    /// A store was not vacuumed.
    Vacuum { path: PathBuf, error: CopyError },
    /// A file that is read or made besides stores.
    File { path: PathBuf, error: io::Error },
    /// An export or an import ended early.
    Transfer { path: PathBuf, error: TransferError },
    /// The library says so.
    Store(Error),
    /// What was found cannot be printed.
    Output(io::Error),
    /// Signals cannot be waited for.
    Signals(io::Error),
    /// There is no thread for verifying or reading.
    Thread(io::Error),
    /// A copy that was made and not verified cannot be removed.
    NotRemoved { path: PathBuf, error: io::Error },
    /// A defect of this tool, at this place of its sources.
    Panicked(String),
    /// It was stopped, and has left nothing behind.
    Stopped,
    /// It was stopped, and the same command goes on.
    ImportStopped,
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Failure::Usage(what.into())
    }

    /// What opening the store at `place` failed with.
    pub(crate) fn opening(place: &Place, error: Error) -> Self {
        match error {
            Error::Open(error) => Failure::Open {
                place: place.clone(),
                error,
            },
            error => Failure::Store(error),
        }
    }

    /// What copying a store to `to` failed with.
    pub(crate) fn copying(to: &Path, error: Error) -> Self {
        match error {
            Error::Copy(CopyError::Cancelled) => Failure::Stopped,
            Error::Copy(error) => Failure::Copy {
                to: to.to_owned(),
                error,
            },
            error => Failure::Store(error),
        }
    }

    /// What vacuuming the store at `path` failed with.
    pub(crate) fn vacuuming(path: &Path, error: Error) -> Self {
        match error {
            Error::Copy(CopyError::Cancelled) => Failure::Stopped,
            Error::Copy(error) => Failure::Vacuum {
                path: path.to_owned(),
                error,
            },
            error => Failure::Store(error),
        }
    }

    /// What a file other than a store failed with.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Failure::File {
            path: path.to_owned(),
            error,
        }
    }

    /// What an export to `path`, or an import from there, failed with.
    pub(crate) fn transfer(path: &Path, error: TransferError) -> Self {
        match error {
            TransferError::Cancelled => Failure::Stopped,
            TransferError::Store(error) => Failure::Store(error),
            error => Failure::Transfer {
                path: path.to_owned(),
                error,
            },
        }
    }

    /// Says what it is to the person at the terminal, and how the program ends.
    pub(crate) fn end(&self) -> ExitCode {
        if let Failure::Output(error) = self
            && error.kind() == ErrorKind::BrokenPipe
        {
            // Whoever reads has enough.
            return ExitCode::SUCCESS;
        }
        if !matches!(self, Failure::Different) {
            self.say();
        }
        ExitCode::from(self.status())
    }

    /// Says what it is to the person at the terminal. When that is not possible, there is nobody to tell.
    pub(crate) fn say(&self) {
        drop(writeln!(io::stderr(), "contact-store: {self}"));
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::NotFound(_) | Failure::Problems(_) | Failure::Different => 1,
            Failure::Store(Error::UnknownApp(_)) => 1,
            Failure::Usage(_) => 2,
            Failure::Open { .. }
            | Failure::Log { .. }
            | Failure::Temporary(_)
            | Failure::Copy { .. }
            | Failure::Vacuum { .. }
            | Failure::File { .. }
            | Failure::Transfer { .. }
            | Failure::Store(_)
            | Failure::Output(_)
            | Failure::Signals(_)
            | Failure::Thread(_)
            | Failure::Panicked(_)
            | Failure::NotRemoved { .. } => 3,
            Failure::Stopped | Failure::ImportStopped => 4,
        }
    }
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotFound(what) | Failure::Problems(what) => f.write_str(what),
            Failure::Different => f.write_str("the policies decide differently"),
            Failure::Log { path, error } => {
                write!(
                    f,
                    "the log {} cannot be read ({})",
                    path.display(),
                    error.kind()
                )
            }
            Failure::Temporary(error) => write!(
                f,
                "the temporary directory cannot be made, or not be removed ({})",
                error.kind()
            ),
            Failure::Usage(what) => {
                write!(f, "{what}\ncontact-store --help says what there is")
            }
            Failure::Open { place, error } => {
                write!(f, "the store {place} cannot be opened: ")?;
                match error {
                    OpenError::AlreadyOpen => f.write_str(
                        "another process writes to it or is just opening it; stop that host, or ask it \
                         for a backup and work on that",
                    ),
                    OpenError::OldFormat { found, known } => write!(
                        f,
                        "it has format {found}, this version works with {known}; \
                         contact-store upgrade upgrades it"
                    ),
                    error => with_causes(error, f),
                }
            }
            Failure::Copy { to, error } => {
                write!(f, "{} was not made: ", to.display())?;
                with_causes(error, f)
            }
            Failure::Vacuum { path, error } => {
                write!(f, "the store {} was not vacuumed: ", path.display())?;
                with_causes(error, f)
            }
            Failure::File { path, error } => {
                write!(f, "{} cannot be used ({})", path.display(), error.kind())
            }
            Failure::Transfer { path, error } => {
                write!(f, "{}: ", path.display())?;
                with_causes(error, f)
            }
            Failure::Store(error) => with_causes(error, f),
            Failure::Output(error) => write!(f, "the output cannot be written ({})", error.kind()),
            Failure::Signals(error) => write!(f, "signals cannot be taken ({})", error.kind()),
            Failure::Thread(error) => write!(f, "no thread can be started ({})", error.kind()),
            Failure::NotRemoved { path, error } => write!(
                f,
                "{} is not verified, do not use it; it cannot be removed ({})",
                path.display(),
                error.kind()
            ),
            Failure::Panicked(place) => {
                write!(
                    f,
                    "panicked at {place}, which is a defect: please report it"
                )
            }
            Failure::Stopped => f.write_str("stopped, nothing is left behind"),
            Failure::ImportStopped => {
                f.write_str("stopped between two batches; the same command goes on from there")
            }
        }
    }
}

/// An error and its causes, each once: some texts of the library hold their cause already.
fn with_causes(error: &dyn StdError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            write!(f, ": {text}")?;
            said = text;
        }
        cause = error.source();
    }
    Ok(())
}
