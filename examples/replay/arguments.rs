//! The command line of the program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::command_line::{self, Asked, Wrong};
use super::store_options::StoreOptions;

/// Replays a JSON Lines log of what a host receives into a contact store.
///
/// For each line of the log, one JSON line of outcome goes to standard output. Every flag is also an
/// environment variable, CONTACT_STORE_ and its name in capitals, and a key of the TOML file that --config
/// names. A flag goes before the variable, and that before the file.
///
/// The exit status is 0 when the whole log was replayed, whatever the outcomes of its lines; 1 when the
/// log or the store failed; 2 when the arguments are wrong.
#[derive(Clone, Debug, Default, Parser, PartialEq, Eq)]
#[command(name = "replay")]
pub struct Arguments {
    /// The file of the store
    #[arg(long, value_name = "PATH")]
    pub store: PathBuf,
    /// How it is opened.
    #[command(flatten)]
    pub options: StoreOptions,
    /// A TOML file with any of these flags as keys, such as cache-bytes = 268435456
    #[arg(long, value_name = "PATH")]
    pub config: Option<OsString>,
    /// The log; - is standard input
    #[arg(value_name = "FILE")]
    pub log: OsString,
}

impl Arguments {
    /// Reads the arguments, the environment and the file.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without any value.
    pub fn read(given: impl IntoIterator<Item = OsString>) -> Result<Asked<Self>, Wrong> {
        command_line::read(given)
    }
}
