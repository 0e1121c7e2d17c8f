//! The command line of the host. It does not know what the values are for.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tracing_subscriber::filter::Targets;

use super::command_line::{self, Asked, Wrong, is_true};
use super::log::Format;
use super::place::{Place, place};
use super::store_options::StoreOptions;

/// Serves a contact store over HTTP.
///
/// Every flag is also an environment variable, CONTACT_STORE_ and its name in capitals, and a key of the
/// TOML file that --config names. A flag goes before the variable, and that before the file.
///
/// It ends on SIGTERM, SIGHUP and Ctrl-C: requests under way are answered, the store is closed. A second
/// signal ends it without waiting for slow clients. The exit status is 0 when that went well, 1 when
/// something failed, 2 when the arguments are wrong.
#[derive(Clone, Debug, Parser)]
#[command(name = "host")]
pub(crate) struct Arguments {
    /// The file of the store, or the URL of a PostgreSQL database, as postgres://role@host/database (with the
    /// feature postgres). A password belongs in PGPASSFILE or PGPASSWORD, or in the URL as the variable
    /// CONTACT_STORE_STORE: others see the arguments of a process
    #[arg(long, value_name = "PATH", value_parser = place())]
    pub(crate) store: Place,
    /// The schema of the database that the store is in; contact_store unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) postgres_schema: Option<String>,
    /// A file of certificates in PEM form that the database's certificate must come from; those of the system
    /// unless given
    #[arg(long, value_name = "PATH")]
    pub(crate) root_certificate: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: StoreOptions,
    /// Address and port; with port 0 a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// A file with the key that requests must carry, as Authorization: Bearer; 16 bytes at least, mode
    /// 0600 or less if the user of the host owns it, 0640 or less if root does. Without it only a loopback
    /// address is listened on
    #[arg(long, value_name = "PATH")]
    pub(crate) api_key_file: Option<OsString>,
    /// A directory for the backups that POST /v1/admin/backup makes, best on another disk. Without it
    /// none are made
    #[arg(long, value_name = "PATH")]
    pub(crate) backup_directory: Option<PathBuf>,
    /// Serves a page for people at /console: contacts and how identifiers match, merges, apps and figures.
    /// It asks for the key where there is one
    #[arg(long, value_parser = is_true)]
    pub(crate) console: bool,
    /// How the log on standard error is written
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format())]
    pub(crate) log: Format,
    /// What is logged: levels, also of single targets, such as info,host::request=off
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info", value_parser = filter)]
    pub(crate) log_filter: Targets,
    /// Logs no line for each request
    #[arg(long, value_parser = is_true)]
    pub(crate) quiet: bool,
    /// A TOML file with any of these flags as keys, such as cache-bytes = 268435456
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<OsString>,
}

impl Arguments {
    /// Reads the arguments, the environment and the file. What is wrong is said without any value.
    pub(crate) fn read(given: impl IntoIterator<Item = OsString>) -> Result<Asked<Self>, Wrong> {
        let asked = command_line::read(given)?;
        if let Asked::Run(arguments) = &asked {
            Self::refuse_apart(arguments)?;
        }
        Ok(asked)
    }

    /// Refuses flags that do not go with where the store is.
    fn refuse_apart(&self) -> Result<(), Wrong> {
        let is_file = self.store.is_file();
        if is_file && self.postgres_schema.is_some() {
            return Err("--postgres-schema goes with a store in PostgreSQL".into());
        }
        if is_file && self.root_certificate.is_some() {
            return Err("--root-certificate goes with a store in PostgreSQL".into());
        }
        if !is_file && self.backup_directory.is_some() {
            return Err(
                "--backup-directory goes with a store in a file: a database has tools of its own"
                    .into(),
            );
        }
        Ok(())
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let address = text.parse();
    address.map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080")
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["text", "json"]).map(|word| match word.as_str() {
        "json" => Format::Json,
        _ => Format::Text,
    })
}

fn filter(text: &str) -> Result<Targets, &'static str> {
    let filter = text.parse();
    filter.map_err(|_| "must be levels, also of single targets, such as info,host::request=off")
}
