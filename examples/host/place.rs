//! Where the store of the host is: in a file, or in a PostgreSQL database.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use contact_store::{ContactStore, Options};

use super::open_store::{CannotOpen, open_store};
use super::options::Arguments;

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this file.
    File(PathBuf),
    /// In the database that this URL names.
    #[cfg(feature = "postgres")]
    Database(String),
}

impl Place {
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Place::File(_))
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => f.debug_tuple("File").field(path).finish(),
            #[cfg(feature = "postgres")]
            Place::Database(_) => f.write_str("Database(<url>)"),
        }
    }
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
        #[cfg(feature = "postgres")]
        Some(url) => Ok(Place::Database(url.to_owned())),
        #[cfg(not(feature = "postgres"))]
        Some(_) => Err(
            "names a PostgreSQL database, which this build has no client for; \
             build it with --features postgres",
        ),
    }
}

/// Opens the store that the arguments name.
///
/// # Errors
///
/// [`NotOpen`].
pub(crate) fn open(arguments: &Arguments, options: Options) -> Result<ContactStore, NotOpen> {
    match &arguments.store {
        Place::File(path) => open_store(path, options).map_err(NotOpen::File),
        #[cfg(feature = "postgres")]
        Place::Database(url) => {
            let mut postgres = contact_store::PostgresOptions::new(url);
            if let Some(schema) = &arguments.postgres_schema {
                postgres = postgres.schema(schema);
            }
            if let Some(file) = &arguments.root_certificate {
                postgres = postgres.root_certificate(file);
            }
            ContactStore::connect(&postgres, options).map_err(NotOpen::Database)
        }
    }
}

/// A store that cannot be opened.
#[derive(Debug)]
pub(crate) enum NotOpen {
    File(CannotOpen),
    #[cfg(feature = "postgres")]
    Database(contact_store::Error),
}

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpen::File(error) => write!(f, "{error}"),
            #[cfg(feature = "postgres")]
            // Not which: its URL may hold a password.
            NotOpen::Database(error) => write!(
                f,
                "the store in the database cannot be opened: {}",
                super::causes::WithCauses(error)
            ),
        }
    }
}
