//! The command line.
//!
//! This module opens no file but that of the configuration, and reads no clock.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use contact_store::{AppId, ExternalCustomerId};

use super::command_line::{self, Asked, Wrong};
use super::store_options::StoreOptions;

/// Registers the persons who talk to a Telegram bot in a contact store, from the bot's updates.
///
/// For each update, one JSON line with its outcome goes to standard output. With --make-link it prints the
/// payload of a deep link instead: what follows https://t.me/BOT?start=
///
/// Every flag is also an environment variable, CONTACT_STORE_ and its name in capitals, and a key of the
/// TOML file that --config names. A flag goes before the variable, and that before the file.
///
/// The exit status is 0 when all updates were read, whatever their outcomes; 1 when reading, the key file
/// or the store failed, or the link cannot be made; 2 when the arguments are wrong.
#[derive(Clone, Debug, Parser)]
#[command(name = "telegram_updates")]
struct Given {
    /// The key of the deep links: 32 bytes or more; 0600, or 0640 if root owns it
    #[arg(long, value_name = "PATH")]
    key_file: OsString,
    // No default: two bots on one key would take each other's links (R10).
    /// The bot; it is connected if it is not. Links of one bot are no links of another
    #[arg(long, value_name = "UUID", value_parser = app)]
    app: AppId,
    /// The time by which links expire, since 1970 UTC; the system's clock unless given
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    now: Option<u64>,
    /// Prints the payload of a deep link for the customer with this id
    #[arg(long, value_name = "CUSTOMER_ID", value_parser = customer)]
    #[arg(requires = "expires_in", conflicts_with_all = ["store", "log"])]
    make_link: Option<ExternalCustomerId>,
    /// How long the link lives
    #[arg(long, value_name = "SECONDS", value_parser = lifetime)]
    #[arg(requires = "make_link", conflicts_with_all = ["store", "log"])]
    expires_in: Option<u64>,
    /// A TOML file with any of these flags as keys, such as cache-bytes = 268435456
    #[arg(long, value_name = "PATH")]
    config: Option<OsString>,
    /// The updates, one JSON update or one answer of getUpdates a line; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "make_link")]
    log: Option<OsString>,
    /// The file of the store
    #[arg(long, value_name = "PATH", required_unless_present = "make_link")]
    store: Option<PathBuf>,
    #[command(flatten)]
    options: StoreOptions,
}

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The file with the key of the links.
    pub key_file: OsString,
    /// The bot.
    pub app: AppId,
    /// The time by which links expire, in seconds since 1970; `None` for the system's clock.
    pub now: Option<u64>,
    /// What to do.
    pub task: Task,
    /// How the store is opened.
    pub options: StoreOptions,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Apply updates.
    Updates {
        /// The file of the store.
        store: PathBuf,
        /// The updates, or `-`.
        log: OsString,
    },
    /// Print the payload of a link.
    MakeLink {
        /// The customer whom it names.
        customer: ExternalCustomerId,
        /// How long it lives, in seconds.
        expires_in: u64,
    },
}

impl Arguments {
    /// Reads the arguments, the environment and the file.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without any value.
    pub fn read(given: impl IntoIterator<Item = OsString>) -> Result<Asked<Self>, Wrong> {
        Ok(match command_line::read::<Given>(given)? {
            Asked::Help(text) => Asked::Help(text),
            Asked::Run(given)
                if given.make_link.is_some() && given.options != StoreOptions::default() =>
            {
                return Err(Wrong::from("--make-link takes no option of the store"));
            }
            Asked::Run(given) => Asked::Run(given.into()),
        })
    }
}

impl From<Given> for Arguments {
    fn from(given: Given) -> Self {
        // What belongs together was given together, or the arguments were refused.
        let task = match given.make_link {
            Some(customer) => Task::MakeLink {
                customer,
                expires_in: given.expires_in.unwrap_or_default(),
            },
            None => Task::Updates {
                store: given.store.unwrap_or_default(),
                log: given.log.unwrap_or_default(),
            },
        };
        Arguments {
            key_file: given.key_file,
            app: given.app,
            now: given.now,
            task,
            options: given.options,
        }
    }
}

fn app(text: &str) -> Result<AppId, &'static str> {
    AppId::parse(text).map_err(|_| "must be a UUID")
}

fn customer(text: &str) -> Result<ExternalCustomerId, &'static str> {
    let id = ExternalCustomerId::parse(text);
    id.map_err(|_| "must be a customer id, not blank and without control characters")
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "must be a number of seconds")
}

fn lifetime(text: &str) -> Result<u64, &'static str> {
    let alive = text.parse().ok().filter(|seconds| *seconds > 0);
    alive.ok_or("must be a number of seconds, at least 1")
}
