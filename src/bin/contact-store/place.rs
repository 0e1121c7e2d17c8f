//! Where a store is: in a file, or in a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
#[cfg(feature = "postgres")]
use contact_store::PostgresOptions;

use crate::failure::Failure;

/// What is given of a database besides its URL.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Server {
    /// The schema of the database that the store is in; contact_store unless given
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) postgres_schema: Option<String>,
    /// A file of certificates in PEM form that the database's certificate must come from; those of the
    /// system unless given
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) root_certificate: Option<PathBuf>,
}

impl Server {
    /// The place that `STORE` names.
    pub(crate) fn place(&self, store: &Path) -> Result<Place, Failure> {
        let url = store.to_str();
        let url = url.filter(|it| it.starts_with("postgres://") || it.starts_with("postgresql://"));
        let Some(url) = url else {
            return match self.postgres_schema.is_some() || self.root_certificate.is_some() {
                true => Err(Failure::usage(
                    "--postgres-schema and --root-certificate go with a store in PostgreSQL",
                )),
                false => Ok(Place::File(store.to_owned())),
            };
        };
        self.database(url)
    }

    #[cfg(feature = "postgres")]
    #[expect(clippy::unnecessary_wraps, reason = "other builds take none")]
    fn database(&self, url: &str) -> Result<Place, Failure> {
        let mut options = PostgresOptions::new(url);
        if let Some(schema) = &self.postgres_schema {
            options = options.schema(schema);
        }
        if let Some(file) = &self.root_certificate {
            options = options.root_certificate(file);
        }
        Ok(Place::Database(Box::new(options)))
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_self, reason = "it is what other builds take")]
    fn database(&self, _url: &str) -> Result<Place, Failure> {
        Err(Failure::usage(
            "STORE is a PostgreSQL database, which this build has no client for; build it with \
             --features cli,postgres",
        ))
    }

    /// The file that `STORE` names, for a command that works on files.
    pub(crate) fn file(&self, store: &Path) -> Result<PathBuf, Failure> {
        let place = self.place(store)?;
        let file = place.path().map(Path::to_owned);
        file.ok_or_else(|| {
            Failure::usage(
                "the command works on the file of a store; a database has tools of its own, and \
                 contact-store export",
            )
        })
    }
}

/// Where a store is.
#[derive(Clone)]
pub(crate) enum Place {
    File(PathBuf),
    /// Nothing of it is shown: its URL may hold a password.
    #[cfg(feature = "postgres")]
    Database(Box<PostgresOptions>),
}

impl Place {
    /// The path of its file. `None` of a database.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Place::File(path) => Some(path),
            #[cfg(feature = "postgres")]
            Place::Database(_) => None,
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Place::File(path.to_owned())
    }
}

/// As it stands after "the store".
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            #[cfg(feature = "postgres")]
            Place::Database(_) => f.write_str("in the database"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
