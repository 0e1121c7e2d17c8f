//! The service between a Telegram bot and the store: it reads the bot's updates, one JSON update or one
//! answer of `getUpdates` a line, and registers persons, reports blocked chats, brings back those that
//! unblock the bot (with `--remember-blocked`) and renames migrated ones.
//! No network: whatever receives the updates writes them down.
//!
//! ```text
//! cargo run --release --example telegram_updates -- --key-file link.key --app UUID --make-link shop-1 --expires-in 86400
//! cargo run --release --example telegram_updates -- --store contacts.redb --create --key-file link.key --app UUID updates.jsonl
//! ```
//!
//! What an update asks for is decided in `action`, the links are signed and verified in `deep_link`;
//! both are pure. This file is the program around them: arguments, lines, and the store.
//!
//! An answer line says that its update is durable in the store. Telegram may be told that an update
//! was received (the next `offset`, or 200 to a webhook) after that and not before. One that comes
//! twice is harmless (R24, R31), except that a report which removes nothing counts again (R36).
//!
//! Updates wait for each other's commit here. A host with more of them hands them to the store ahead
//! of their answers, as `replay.rs` does, so that many share a commit.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use contact_store::{
    AddTokens, AppId, AppName, BringBack, ConnectApp, ContactStore, EntryError, Error, Limits,
    RecordReports, RenameToken, Report, Status, TokenBroughtBack, TokenEntry, wire,
};
use serde::Serialize;

#[path = "telegram_updates/action.rs"]
pub mod action;
#[path = "telegram_updates/arguments.rs"]
pub mod arguments;
#[path = "common/causes.rs"]
mod causes;
#[path = "common/command_line.rs"]
pub mod command_line;
#[path = "telegram_updates/deep_link.rs"]
pub mod deep_link;
#[path = "common/key_file.rs"]
pub mod key_file;
#[path = "common/lines.rs"]
pub mod lines;
#[path = "common/open_store.rs"]
pub mod open_store;
#[path = "common/store_options.rs"]
pub mod store_options;
#[path = "telegram_updates/update.rs"]
pub mod update;

use action::{Action, Proved};
use arguments::{Arguments, Task};
use causes::WithCauses;
use command_line::Asked;
use deep_link::{CannotSign, DeepLinks, KeyTooShort};
use key_file::{KeyFileError, read_key_file};
use lines::{is_blank, line_of_log, read_line, takes_no_more};
use open_store::{CannotOpen, open_store};
use update::{Unreadable, Update};

/// The greatest length of the key file, in bytes: nobody means more.
const MOST_KEY_BYTES: usize = 4_096;

fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args_os().skip(1)) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Help(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(wrong) => {
            say(&format!(
                "{wrong}\ntelegram_updates --help says what there is"
            ));
            return ExitCode::from(2);
        }
    };
    match run(&arguments, io::stdout().lock()) {
        Ok(Done::Updates(summary)) => {
            say(&summary.to_string());
            ExitCode::SUCCESS
        }
        Ok(Done::Link) => ExitCode::SUCCESS,
        // The reader of the answers wants no more of them.
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(stop) => {
            say(&stop.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Says something to the person at the terminal. When that is not possible there is nobody to tell.
fn say(text: &str) {
    drop(writeln!(
        io::stderr(),
        "telegram_updates: {}",
        text.trim_end()
    ));
}

/// Does what the arguments say.
///
/// # Errors
///
/// [`Stop`]. Updates answered until then are in the store.
pub fn run(arguments: &Arguments, mut output: impl Write) -> Result<Done, Stop> {
    let key = read_key_file(arguments.key_file.as_ref(), MOST_KEY_BYTES);
    let key = key.map_err(Stop::KeyFile)?;
    let links = DeepLinks::new(arguments.app, &key).map_err(Stop::Key)?;
    let now = || arguments.now.unwrap_or_else(system_seconds);
    match &arguments.task {
        Task::MakeLink {
            customer,
            expires_in,
        } => {
            let expires_at = now().saturating_add(*expires_in);
            let payload = links.sign(customer, expires_at).map_err(Stop::Link)?;
            writeln!(output, "{payload}").map_err(Stop::Output)?;
            Ok(Done::Link)
        }
        Task::Updates { store, log } => {
            let log: Box<dyn BufRead> = if log == "-" {
                Box::new(io::stdin().lock())
            } else {
                let opened = File::open(log).map_err(|error| Stop::Open {
                    log: log.clone(),
                    error,
                });
                Box::new(BufReader::new(opened?))
            };
            let options = arguments.options.options();
            let limits = options.limits;
            let store = open_store(store, options).map_err(Stop::OpenStore)?;
            let bot = Bot {
                store: &store,
                app: arguments.app,
                links: &links,
                limits,
            };
            let applied = bot.connect().and_then(|()| bot.apply_all(now, log, output));
            let closed = store.close();
            let summary = applied?;
            closed?;
            Ok(Done::Updates(summary))
        }
    }
}

/// A clock before 1970 is set wrong, and then no link is believed.
fn system_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(u64::MAX, |since| since.as_secs())
}

/// A bot, the store that it registers persons in, and its links.
pub struct Bot<'a> {
    /// The store.
    pub store: &'a ContactStore,
    /// The bot, connected.
    pub app: AppId,
    /// The links of this bot.
    pub links: &'a DeepLinks,
    /// The limits of the store.
    pub limits: Limits,
}

impl Bot<'_> {
    /// Connects the bot, unless it is: then its name is the host's own.
    fn connect(&self) -> Result<(), Stop> {
        let mut apps = self.store.snapshot()?.apps()?.into_iter();
        if apps.any(|known| known.id == self.app) {
            return Ok(());
        }
        let name = AppName::parse("Telegram bot").map_err(Error::from)?;
        let request = ConnectApp::new(name).id(self.app);
        self.store.connect_app(request).wait()?;
        Ok(())
    }

    /// Applies a log of updates, each before the next is read.
    ///
    /// `now` is asked for each update: the log may be one that is still written to.
    ///
    /// # Errors
    ///
    /// [`Stop`].
    pub fn apply_all(
        &self,
        now: impl Fn() -> u64,
        mut log: impl BufRead,
        mut output: impl Write,
    ) -> Result<Summary, Stop> {
        let limits = self.limits;
        let mut summary = Summary::default();
        let (mut text, mut answer) = (Vec::new(), Vec::new());
        let mut number = 0_u64;
        loop {
            text.clear();
            let read = read_line(&mut log, limits.request_text_bytes, &mut text);
            let Some(bytes) = read.map_err(Stop::Input)? else {
                return Ok(summary);
            };
            number = number.saturating_add(1);
            let text = line_of_log(&text, number);
            let updates = match wire::check_request_size(bytes, &limits) {
                Err(exceeded) => vec![Err(Error::from(exceeded).into())],
                Ok(()) if is_blank(text) => continue,
                Ok(()) => match update::read(text) {
                    Ok(updates) => updates.into_iter().map(Ok).collect(),
                    Err(unreadable) => vec![Ok(Err(unreadable))],
                },
            };
            for update in updates {
                answer.clear();
                let applied = update.and_then(|update| match update {
                    Ok(update) => self.apply(&update, now(), &mut answer),
                    Err(unreadable) => {
                        put(&mut answer, &Refused::of(&unreadable, number))?;
                        Ok(EntryOutcome::Refused)
                    }
                });
                let mut failed = None;
                match applied {
                    Ok(became) => summary.count(became),
                    Err(Stop::Store(error)) => {
                        summary.count(EntryOutcome::Refused);
                        put(&mut answer, &wire::error_at_line(&error, number))?;
                        failed = takes_no_more(&error).then_some(error);
                    }
                    Err(stop) => return Err(stop),
                }
                answer.push(b'\n');
                output.write_all(&answer).map_err(Stop::Output)?;
                // The next update may be long in coming.
                output.flush().map_err(Stop::Output)?;
                if let Some(error) = failed {
                    return Err(Stop::Store(error));
                }
            }
        }
    }

    /// Applies one update, and puts its outcome into `answer`.
    fn apply(&self, update: &Update, now: u64, answer: &mut Vec<u8>) -> Result<EntryOutcome, Stop> {
        let id = update.update_id;
        match action::action(update, self.links, now) {
            Action::AddToken { token, proved, at } => {
                let entry = TokenEntry::new(token.as_str());
                let entry = match proved {
                    Proved::CustomerId(id) => entry.external_customer_id(id.into_string()),
                    Proved::Phone(phone) => entry.phone(phone.digits()),
                };
                let request = AddTokens::new(self.app).entry(entry).at(at);
                let added = self.store.add_tokens(request).wait()?.outcome;
                put(answer, &did(id, "addTokens", wire::tokens_added(&added)))?;
                Ok(EntryOutcome::of(&added.entries))
            }
            Action::ReportBlocked { token, reason, at } => {
                let blocked = Report::new(Status::Failed).token(token.as_str());
                let blocked = blocked.reason(reason).at(at);
                let request = RecordReports::new(self.app).report(blocked);
                let recorded = self.store.record_reports(request).wait()?.outcome;
                let outcome = wire::reports_recorded(&recorded);
                put(answer, &did(id, "recordReports", outcome))?;
                Ok(EntryOutcome::of(&recorded))
            }
            Action::BringBack { token, at } => {
                let request = BringBack::new(self.app, token).at(at);
                let brought = self.store.bring_back(request).wait()?.outcome;
                let outcome = wire::token_brought_back(&brought);
                put(answer, &did(id, "bringBack", outcome))?;
                Ok(match brought {
                    TokenBroughtBack::BroughtBack { .. } => EntryOutcome::Applied,
                    _ => EntryOutcome::Nothing,
                })
            }
            Action::RenameToken { old, new } => {
                let request = RenameToken::new(self.app, old, new);
                let renamed = self.store.rename_token(request).wait()?.outcome;
                put(
                    answer,
                    &did(id, "renameToken", wire::token_renamed(&renamed)),
                )?;
                Ok(EntryOutcome::Applied)
            }
            Action::Nothing(reason) => {
                let reason = reason.code();
                let action = "nothing";
                put(
                    answer,
                    &DidNothing {
                        update_id: id,
                        action,
                        reason,
                    },
                )?;
                Ok(EntryOutcome::Nothing)
            }
        }
    }
}

fn put(into: &mut Vec<u8>, answer: &impl Serialize) -> Result<(), Stop> {
    serde_json::to_writer(into, answer).map_err(|error| Stop::Output(error.into()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Did<T> {
    update_id: i64,
    action: &'static str,
    outcome: T,
}

fn did<T>(update_id: i64, action: &'static str, outcome: T) -> Did<T> {
    Did {
        update_id,
        action,
        outcome,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DidNothing {
    update_id: i64,
    action: &'static str,
    reason: &'static str,
}

/// The answer to what is no update, in the form of the store's own errors.
#[derive(Serialize)]
struct Refused<'a> {
    error: RefusedForm<'a>,
}

#[derive(Serialize)]
struct RefusedForm<'a> {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    line: u64,
}

impl<'a> Refused<'a> {
    fn of(unreadable: &'a Unreadable, line: u64) -> Self {
        let (code, message, path) = match unreadable {
            Unreadable::NotJson => ("syntax", "not JSON", None),
            Unreadable::NotAnUpdate { path } => (
                "notAnUpdate",
                "not an update as Telegram publishes them",
                Some(path.as_str()).filter(|path| !path.is_empty()),
            ),
        };
        let error = RefusedForm {
            code,
            message,
            path,
            line,
        };
        Refused { error }
    }
}

/// The outcome of an update, for the count.
#[derive(Clone, Copy)]
enum EntryOutcome {
    Applied,
    Nothing,
    Refused,
}

impl EntryOutcome {
    fn of<T>(entries: &[Result<T, EntryError>]) -> Self {
        if entries.iter().all(Result::is_ok) {
            EntryOutcome::Applied
        } else {
            EntryOutcome::Refused
        }
    }
}

/// The outcome of a log of updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Updates that the store was given and took.
    pub applied: u64,
    /// Updates that asked for nothing.
    pub nothing: u64,
    /// Lines that are no update, and updates that the store refused.
    pub refused: u64,
}

impl Summary {
    fn count(&mut self, became: EntryOutcome) {
        let count = match became {
            EntryOutcome::Applied => &mut self.applied,
            EntryOutcome::Nothing => &mut self.nothing,
            EntryOutcome::Refused => &mut self.refused,
        };
        *count = count.saturating_add(1);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} updates applied, {} without anything to do, {} refused",
            self.applied, self.nothing, self.refused
        )
    }
}

/// What was done.
#[derive(Debug)]
pub enum Done {
    /// Updates were applied.
    Updates(Summary),
    /// A link was printed.
    Link,
}

/// Why a run ended early. No variant shows an update, a key or a customer id.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The updates cannot be opened.
    #[error("the updates in {} cannot be opened for reading ({})", .log.display(), .error.kind())]
    Open {
        /// Their path.
        log: OsString,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The updates cannot be read.
    #[error("the updates cannot be read ({})", .0.kind())]
    Input(#[source] io::Error),
    /// The answers cannot be written.
    #[error("the answers cannot be written ({})", .0.kind())]
    Output(#[source] io::Error),
    /// The key file is not taken.
    #[error(transparent)]
    KeyFile(KeyFileError),
    /// What is in the key file is no key.
    #[error("the key file holds a {0}")]
    Key(#[source] KeyTooShort),
    /// The link cannot be signed.
    #[error(transparent)]
    Link(CannotSign),
    /// The store cannot be opened.
    #[error("{0}")]
    OpenStore(CannotOpen),
    /// The store takes no more.
    #[error("{}", WithCauses(.0))]
    Store(#[from] Error),
}
