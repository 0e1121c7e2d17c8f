//! Where the store of the host is: in a file, or in a PostgreSQL database.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use contact_store::{ContactStore, Options};

use super::causes::WithCauses;
use super::open_store::{CannotOpen, open_store};

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this file.
    File(PathBuf),
    /// In the database that this URL names.
    Database(String),
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => f.debug_tuple("File").field(path).finish(),
            Place::Database(_) => f.write_str("Database(<url>)"),
        }
    }
}

/// What else is given of a database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Database<'a> {
    pub(crate) schema: Option<&'a str>,
    pub(crate) root_certificate: Option<&'a PathBuf>,
}

/// Takes a path, or a URL where this build can use it.
pub(crate) fn place() -> impl TypedValueParser<Value = Place> {
    OsStringValueParser::new().try_map(read)
}

fn read(text: OsString) -> Result<Place, &'static str> {
    let url = text.to_str();
    let url = url.filter(|it| it.starts_with("postgres://") || it.starts_with("postgresql://"));
    match url {
        None => Ok(Place::File(text.into())),
        Some(url) if cfg!(feature = "postgres") => Ok(Place::Database(url.to_owned())),
        Some(_) => Err(
            "names a PostgreSQL database, which this build has no client for; \
             build it with --features postgres",
        ),
    }
}

/// Opens the store.
///
/// # Errors
///
/// [`NotOpen`].
pub(crate) fn open(
    place: &Place,
    database: Database<'_>,
    options: Options,
) -> Result<ContactStore, NotOpen> {
    match place {
        Place::File(path) => open_store(path, options).map_err(NotOpen::File),
        Place::Database(url) => connect(url, database, options),
    }
}

#[cfg(feature = "postgres")]
fn connect(url: &str, database: Database<'_>, options: Options) -> Result<ContactStore, NotOpen> {
    let mut postgres = contact_store::PostgresOptions::new(url);
    if let Some(schema) = database.schema {
        postgres = postgres.schema(schema);
    }
    if let Some(file) = database.root_certificate {
        postgres = postgres.root_certificate(file);
    }
    ContactStore::connect(&postgres, options).map_err(NotOpen::Database)
}

#[cfg(not(feature = "postgres"))]
fn connect(_: &str, _: Database<'_>, _: Options) -> Result<ContactStore, NotOpen> {
    // No argument is read as one.
    Err(NotOpen::Database(contact_store::Error::Open(
        contact_store::OpenError::NotFound,
    )))
}

/// A store that cannot be opened.
#[derive(Debug)]
pub(crate) enum NotOpen {
    File(CannotOpen),
    Database(contact_store::Error),
}

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpen::File(error) => write!(f, "{error}"),
            // Not which: its URL may hold a password.
            NotOpen::Database(error) => write!(
                f,
                "the store in the database cannot be opened: {}",
                WithCauses(error)
            ),
        }
    }
}
