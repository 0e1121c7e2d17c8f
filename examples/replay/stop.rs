//! Why a replay ended before its log.

use std::ffi::OsString;
use std::fmt;
use std::io;

use contact_store::Error;

use super::causes::WithCauses;
use super::open_store::CannotOpen;

/// Why a replay ended before its log. No variant shows any part of the log.
#[derive(Debug)]
pub enum Stop {
    /// The log cannot be opened.
    Open {
        /// Its path.
        log: OsString,
        /// What the system said.
        error: io::Error,
    },
    /// The log cannot be read.
    Input(io::Error),
    /// The answers cannot be written.
    Output(io::Error),
    /// The store cannot be opened.
    OpenStore(CannotOpen),
    /// The store takes no more.
    Store(Error),
    /// The library knows a kind of line that this program does not.
    UnknownLine,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Open { log, error } => {
                let (log, kind) = (log.display(), error.kind());
                write!(f, "the log {log} cannot be opened for reading ({kind})")
            }
            Stop::Input(error) => write!(f, "the log cannot be read ({})", error.kind()),
            Stop::Output(error) => write!(f, "the answers cannot be written ({})", error.kind()),
            Stop::OpenStore(error) => write!(f, "{error}"),
            Stop::Store(error) => write!(f, "{}", WithCauses(error)),
            Stop::UnknownLine => {
                f.write_str("the log holds a line of a kind that is not known here")
            }
        }
    }
}
