//! What the tool takes on its command line.
//!
//! Values that may be of a person are taken as texts: what clap says of a value that it cannot read
//! would show it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use contact_store::{ContactId, GivenIdentifiers, Identifiers};

use crate::failure::Failure;
use crate::place::Server;
use crate::wrong::what_is_wrong;

/// Looks into a contact store, copies, restores, vacuums, upgrades, exports and fills it, and compares the
/// two policies.
///
/// A store is opened for reading only, and never created: its file stays as it is, byte for byte. A host may
/// write to it meanwhile: what is shown is the last durable state when the command began. Only `vacuum`,
/// `upgrade` and `import` write to a store, while no host has it open, and only `import --create` creates one.
///
/// STORE is the file of a store or, in a build with the feature `postgres`, the URL of a database, such as
/// postgres://role@host/database. Its password is best in the file that PGPASSFILE names, or in PGPASSWORD:
/// others see the arguments of a process. Commands that copy or vacuum a file take no database.
///
/// What is found goes to standard output, as text or with --json as one JSON object a line; it holds
/// personal data, because that is what was asked for. Errors go to standard error, and hold none.
///
/// The exit status is 0; 1 when nothing was found, verifying found problems, rows of an import are refused,
/// or comparing found differences; 2 when the arguments are wrong; 3 when a store or another file cannot be
/// opened, read or written; 4 when a command was stopped half-way. Of a backup, a restore, a vacuum, an
/// export or a comparison that leaves nothing behind. An import stops between two batches, and the same
/// command goes on from there.
#[derive(Debug, Parser)]
#[command(name = "contact-store", version)]
pub(crate) struct Arguments {
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done. `STORE` is the file of a store, or the URL of a PostgreSQL database.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the card of the contact that has one identifier
    Get {
        /// The file of the store, or postgres://...
        store: PathBuf,
        #[command(flatten)]
        by: Given,
    },
    /// Show the contact that several identifiers name, and which of them decided
    Find {
        /// The file of the store, or postgres://...
        store: PathBuf,
        #[command(flatten)]
        by: Given,
        /// How contacts are matched: cascade or topPriority
        #[arg(long, value_name = "POLICY", default_value = "cascade")]
        policy: String,
    },
    /// Show which contact each identifier names, and what adding a token would do
    Explain {
        /// The file of the store, or postgres://...
        store: PathBuf,
        #[command(flatten)]
        by: Given,
    },
    /// List the contacts, in the order of their ids
    Contacts {
        /// The file of the store, or postgres://...
        store: PathBuf,
        /// Begin after this contact id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// List no more than this many
        #[arg(long, value_name = "N")]
        limit: Option<String>,
    },
    /// List the connected apps, with their counts
    Apps {
        /// The file of the store, or postgres://...
        store: PathBuf,
    },
    /// List the subscribers of an app, in the order of their ids
    Subscribers {
        /// The file of the store, or postgres://...
        store: PathBuf,
        /// The id of the app, a UUID
        app: String,
        /// Only say how many there are
        #[arg(long)]
        count: bool,
    },
    /// List the messages of an app, with how many reports of each status named them
    Messages {
        /// The file of the store, or postgres://...
        store: PathBuf,
        /// The id of the app, a UUID
        app: String,
    },
    /// List what changed in a store with a change feed, as ids alone
    ///
    /// Changes that are not kept any more are an error, which says where reading can begin. With --follow,
    /// later changes are printed as well, until the command is stopped: the store is opened again each
    /// second for that, for reading, while a host may have it open.
    Changes {
        /// The file of the store, or postgres://...
        store: PathBuf,
        /// Begin after this position, such as 17.3
        #[arg(long, value_name = "POSITION")]
        after: Option<String>,
        /// List no more than this many
        #[arg(long, value_name = "N")]
        limit: Option<String>,
        /// Go on with what changes later
        #[arg(long)]
        follow: bool,
    },
    /// List pairs of contacts that requests named as if they were one, with the kinds that named each
    Conflicts {
        /// The file of the store, or postgres://...
        store: PathBuf,
    },
    /// Show how much the store holds, and how much of its file is in use
    Stats {
        /// The file of the store, or postgres://...
        store: PathBuf,
    },
    /// Verify every page of the file, and every row against every other
    Verify {
        /// The file of the store, or postgres://...
        store: PathBuf,
    },
    /// Write the store into a new file, without what was erased; never replaces one
    Backup {
        /// The file of the store
        store: PathBuf,
        /// The file to make
        out: PathBuf,
    },
    /// Bring a backup to a new place, and verify what was written; never replaces a file
    Restore {
        /// The backup
        from: PathBuf,
        /// The file to make
        store: PathBuf,
    },
    /// Write the file of a store anew without free pages, so that nothing of what was erased is in it
    Vacuum {
        /// The file of the store
        store: PathBuf,
    },
    /// Import contacts from CSV, or a whole store from NDJSON
    ///
    /// The rows of CSV create and update contacts; those of NDJSON, which is what `export` writes, go
    /// into an empty store. A refused row is reported, and the others go on. A run that was interrupted
    /// goes on when the same command is given again: where it was is kept beside the store, in the
    /// hidden file .STORE.import. For a store in a database that is beside the imported file, in .FILE.import,
    /// and an import of standard input begins anew; there is no dry run.
    Import(Box<Import>),
    /// Export a whole store as NDJSON, or its contacts as CSV; never replaces a file
    Export {
        /// The file of the store, or postgres://...
        store: PathBuf,
        /// The file to make, .ndjson or .csv; - is standard output
        file: PathBuf,
        /// ndjson or csv, where the file does not say
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
        /// Write the access keys of the apps, too, which are secrets (NDJSON)
        #[arg(long)]
        access_keys: bool,
    },
    /// Upgrade a store of an older format, in one commit; have a copy of the file before
    Upgrade {
        /// The file of the store, or postgres://...
        store: PathBuf,
    },
    /// Show what the two policies decide differently on a log of what a host receives
    ///
    /// The log is one of JSON lines, as the example `replay` reads it. It is replayed into two stores, one
    /// under each policy, in a temporary directory (TMPDIR) that is removed at the end. Both take contact
    /// ids, subscriber ids and times in the log as they stand.
    ///
    /// Compared are the entries of `tokens`, `statuses` and `contacts`, and the lines that find, resolve,
    /// erase, remove a token or rename one. An entry is decided differently
    ///
    /// - when one policy refuses it and the other does not, or both do for different reasons;
    /// - when one creates a contact and the other does not;
    /// - when both create a contact, but not with the same identifiers;
    /// - when it concerns other contacts: the token goes to another card, another contact is found;
    /// - when the outcome is another in kind, such as recorded and unknown.
    ///
    /// An id that is shifted is no difference. Two contacts are the same when one entry created both. If
    /// each was created under one policy alone, they are the same after the first entry that concerns
    /// both. By which identifier a contact was found, whether it held the token already, and how a card
    /// changed are not compared.
    ///
    /// Each difference is printed with its line, counted from 1, and the index of its entry, counted from
    /// 0. Contact ids are those of each policy's own store. Sums follow.
    #[command(verbatim_doc_comment)]
    ComparePolicies(Compared),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// What is compared, and how.
#[derive(Args, Debug)]
pub(crate) struct Compared {
    /// The log; - is standard input
    pub(crate) log: OsString,
    /// Begin with the contents of this store, not with empty ones
    #[arg(long, value_name = "STORE")]
    pub(crate) from: Option<PathBuf>,
    /// What happens to a token that another contact holds: shared or exclusive
    #[arg(long, value_name = "WHICH", default_value = "shared")]
    pub(crate) ownership: String,
    /// What an invalid identifier does to its entry: refuse or ignore
    #[arg(long, value_name = "WHICH", default_value = "refuse")]
    pub(crate) invalid_identifier: String,
    /// What happens to a contact id that names no contact: adopt or reject
    #[arg(long, value_name = "WHICH", default_value = "adopt")]
    pub(crate) unknown_contact_id: String,
}

/// What to import, and how.
#[derive(Args)]
pub(crate) struct Import {
    /// The file of the store, or postgres://...
    pub(crate) store: PathBuf,
    /// The file to import, .csv or .ndjson; - is standard input
    pub(crate) file: PathBuf,
    /// csv or ndjson, where the file does not say
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Make the store if there is none
    #[arg(long)]
    pub(crate) create: bool,
    /// Only say what would happen: import into a copy, which is removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Copy refused rows to this new file, to be mended and imported
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Say what a column is for, as Mobile=phone or Town=fields.town (CSV)
    #[arg(long, value_name = "HEADER=FIELD")]
    pub(crate) map: Vec<String>,
    /// Find contacts by contactId, externalCustomerId, phone, email or phoneThenEmail (CSV)
    #[arg(long, value_name = "FIELD")]
    pub(crate) unique: Option<String>,
    /// What an empty cell does to a value: keep or erase; keep if not given (CSV)
    #[arg(long, value_name = "WHAT")]
    pub(crate) empty: Option<String>,
    /// The calling code of national phones, as 380 (CSV)
    #[arg(long, value_name = "CODE")]
    pub(crate) prefix: Option<String>,
    /// The encoding of a file without a byte order mark, as windows-1251; UTF-8 if not given (CSV)
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// The character between cells, or tab; found if not given (CSV)
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<String>,
}

// A mapping may be a value in a wrong place.
impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").finish_non_exhaustive()
    }
}

/// Identifiers as they are given. Blank ones count as not given (R1).
#[derive(Args)]
pub(crate) struct Given {
    /// A contact id
    #[arg(long, value_name = "ID")]
    contact_id: Option<String>,
    /// An external customer id, byte for byte
    #[arg(long, value_name = "ID")]
    external_customer_id: Option<String>,
    /// A phone in international form
    #[arg(long, value_name = "PHONE")]
    phone: Option<String>,
    /// An email
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
}

impl Given {
    /// The identifiers in canonical form, at least one.
    pub(crate) fn parse(&self) -> Result<Identifiers, Failure> {
        let mut given = GivenIdentifiers::new();
        if let Some(id) = self
            .contact_id
            .as_deref()
            .filter(|id| !id.trim().is_empty())
        {
            given = given.contact_id(ContactId::parse(id)?);
        }
        if let Some(id) = &self.external_customer_id {
            given = given.external_customer_id(id);
        }
        if let Some(phone) = &self.phone {
            given = given.phone(phone);
        }
        if let Some(email) = &self.email {
            given = given.email(email);
        }
        let identifiers = given.parse()?;
        if identifiers.is_empty() {
            return Err(Failure::usage(format!(
                "at least one of {} is required",
                FLAGS
            )));
        }
        Ok(identifiers)
    }

    /// The only identifier, in canonical form.
    pub(crate) fn parse_one(&self) -> Result<Identifiers, Failure> {
        let identifiers = self.parse()?;
        match identifiers.kinds().iter().count() {
            1 => Ok(identifiers),
            given => Err(Failure::usage(format!(
                "one of {} is taken, {given} are given",
                FLAGS
            ))),
        }
    }
}

// Whoever prints the arguments prints what they are about.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

const FLAGS: &str = "--contact-id, --external-customer-id, --phone, --email";

/// What the command line asks for.
pub(crate) enum Asked {
    /// To run, with these arguments.
    Run(Arguments),
    /// This text: the help, or the version.
    Text(String),
}

/// Reads the command line, with the program's own name first.
pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, Failure> {
    match Arguments::try_parse_from(words) {
        Ok(arguments) => Ok(Asked::Run(arguments)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Asked::Text(error.render().to_string()))
            }
            _ => Err(Failure::usage(what_is_wrong(&error))),
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_arguments_are_put_together_as_clap_wants_them() {
        Arguments::command().debug_assert();
    }
}
