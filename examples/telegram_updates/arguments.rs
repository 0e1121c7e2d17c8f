//! The command line.
//!
//! This module opens no file and reads no clock.

use std::ffi::{OsStr, OsString};

use contact_store::{AppId, ExternalCustomerId};

use super::store_flags::{self, StoreFlags};

/// What `--help` says.
pub const USAGE: &str = "\
Registers the persons who talk to a Telegram bot in a contact store, from the bot's updates.

Usage: telegram_updates --store PATH --key-file PATH --app UUID [--now SECONDS] [OPTION]... FILE
       telegram_updates --key-file PATH --app UUID [--now SECONDS]
                        --make-link CUSTOMER_ID --expires-in SECONDS

  --store PATH       the file of the store; it is created if there is none
  --key-file PATH    the key of the deep links: 32 bytes or more, for its owner alone (0600)
  --app UUID         the bot; it is connected if it is not. Links of one bot are no links of another
  --now SECONDS      the time by which links expire, since 1970 UTC; the system's clock unless given
  --make-link ID     prints the payload of a deep link for the customer with this id: what follows
                     https://t.me/BOT?start=
  --expires-in S     how long the link lives, in seconds
  --help             this text
  FILE               the updates, one JSON update or one answer of getUpdates a line; - is standard
                     input

For each update, one JSON line of what became of it goes to standard output. The exit status is 0
when all updates were read, whatever became of them; 1 when reading, the key file or the store
failed, or the link cannot be made; 2 when the arguments are wrong.
";

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The file with the key of the links.
    pub key_file: OsString,
    /// The bot.
    pub app: AppId,
    /// The time by which links expire, in seconds since 1970; `None` for the system's clock.
    pub now: Option<u64>,
    /// The options of the store.
    pub flags: StoreFlags,
    /// What to do.
    pub task: Task,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Apply updates.
    Updates {
        /// The file of the store.
        store: OsString,
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
    /// Reads the arguments; `None` when they ask for help.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without the text of any argument.
    pub fn parse(given: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, &'static str> {
        let mut given = given.into_iter();
        let (mut store, mut key_file, mut app, mut now) = (None, None, None, None);
        let (mut customer, mut expires_in, mut log) = (None, None, None);
        let mut flags = store_flags::Reader::default();
        while let Some(argument) = given.next() {
            let (known, missing) = match argument.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--store") => (&mut store, "--store needs a path"),
                Some("--key-file") => (&mut key_file, "--key-file needs a path"),
                Some("--app") => (&mut app, "--app needs a UUID"),
                Some("--now") => (&mut now, "--now needs a number of seconds"),
                Some("--make-link") => (&mut customer, "--make-link needs a customer id"),
                Some("--expires-in") => (&mut expires_in, "--expires-in needs a number of seconds"),
                Some(option) if option.starts_with('-') && option != "-" => {
                    if flags.take(option, &mut given)? {
                        continue;
                    }
                    return Err("an option is not known");
                }
                _ => {
                    if log.replace(argument).is_some() {
                        return Err("more than one FILE is given");
                    }
                    continue;
                }
            };
            if known.replace(given.next().ok_or(missing)?).is_some() {
                return Err("an option is given twice");
            }
        }
        let task = match (customer, expires_in, store, log) {
            (Some(customer), expires_in, None, None) => Task::MakeLink {
                customer: read_customer(&customer)?,
                expires_in: read_lifetime(expires_in)?,
            },
            (Some(_), ..) => return Err("--make-link takes neither --store nor FILE"),
            (None, Some(_), ..) => return Err("--expires-in belongs to --make-link"),
            (None, None, store, log) => Task::Updates {
                store: store.ok_or("--store is required")?,
                log: log.ok_or("FILE is required")?,
            },
        };
        let flags = flags.finish();
        if matches!(task, Task::MakeLink { .. }) && flags != StoreFlags::default() {
            return Err("--make-link takes no option of the store");
        }
        let key_file = key_file.ok_or("--key-file is required")?;
        // No default: two bots on one key would take each other's links (R10).
        let app = read_app(&app.ok_or("--app is required")?)?;
        let now = now.map(|now| read_seconds(&now).ok_or("--now is a number of seconds"));
        Ok(Some(Arguments {
            key_file,
            app,
            now: now.transpose()?,
            flags,
            task,
        }))
    }
}

fn read_app(text: &OsStr) -> Result<AppId, &'static str> {
    let app = text.to_str().and_then(|text| AppId::parse(text).ok());
    app.ok_or("--app is a UUID")
}

fn read_customer(text: &OsStr) -> Result<ExternalCustomerId, &'static str> {
    let id = text
        .to_str()
        .and_then(|text| ExternalCustomerId::parse(text).ok());
    id.ok_or("--make-link is a customer id, not blank and without control characters")
}

fn read_lifetime(text: Option<OsString>) -> Result<u64, &'static str> {
    let seconds = read_seconds(&text.ok_or("--make-link needs --expires-in")?);
    let alive = seconds.filter(|seconds| *seconds > 0);
    alive.ok_or("--expires-in is a number of seconds, at least 1")
}

fn read_seconds(text: &OsStr) -> Option<u64> {
    text.to_str()?.parse().ok()
}
