//! The options of a store in a PostgreSQL database.
//!
//! This module does not connect.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{DatabaseError, OpenError};
use crate::options::{Create, Options};
use crate::storage::Settings;

/// Which PostgreSQL database a store is in, and how it is reached.
///
/// Several hosts may connect to one store, and all may write. The order of their requests is that of the
/// database ([R47](crate::rulebook#r47)).
///
/// The password may be in the URL, in the variable `PGPASSWORD`, or in the password file that the tools of
/// PostgreSQL read (`PGPASSFILE`, or `.pgpass` in the home directory, readable by its owner alone). It is in no
/// `Debug` form, error or log.
#[derive(Clone)]
pub struct PostgresOptions {
    url: String,
    schema: String,
    root_certificate: Option<PathBuf>,
    connections: usize,
    patience: Duration,
    asynchronous_commit: bool,
}

/// Shows neither the URL nor what is in it.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .field("asynchronous_commit", &self.asynchronous_commit)
            .finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// The database that a URL such as `postgres://role@host:5432/database` names, or a list of settings such as
    /// `host=/run/postgresql dbname=shop`.
    ///
    /// Several hosts may be named: `postgres://a,b/shop?target_session_attrs=read-write` is the one among them that
    /// takes writes, also after another took over from it. One that was replaced must not come back as one that takes
    /// writes: it would answer reads from its old state. TLS is used where the server has it, and required with
    /// `sslmode=require`; its certificate is always verified. With `sslmode=disable`, and over a socket of the same
    /// machine, it is not used.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        PostgresOptions {
            url: url.into(),
            schema: "contact_store".to_owned(),
            root_certificate: None,
            connections: 16,
            patience: Duration::from_secs(10),
            asynchronous_commit: false,
        }
    }

    /// Sets the schema that the tables are in. The default is `contact_store`. A database holds one store for each
    /// schema.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets a file of certificates in PEM form, which the server's certificate must come from. The default is those of
    /// the system.
    #[must_use]
    pub fn root_certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificate = Some(file.into());
        self
    }

    /// Sets how many connections snapshots may have at a time, at least 1. The default is 16. Writing takes one more, and
    /// waiting for changes another.
    ///
    /// Each snapshot has a connection from when it is taken until it is dropped. A snapshot that finds none waits for
    /// one, and fails with [`DatabaseError::NoConnection`] after the time set by [`patience`](Self::patience).
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Sets how long the store waits for a server that cannot be reached, for an answer, and for other hosts that write,
    /// before a request fails. The default is 10 s.
    ///
    /// It is the time in which a standby should take over from a primary that was lost. Several hosts in the URL share
    /// it: one that does not answer has its part, and then the next is tried. A store that falls silent within a group
    /// of requests, since its process is frozen or its machine is gone, loses the order after half of the time, and the
    /// others go on. Its own requests are indeterminate then ([R49](crate::rulebook#r49)).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        // The server counts it in milliseconds of 31 bits.
        let most = Duration::from_millis(2_147_483_647);
        self.patience = patience.clamp(Duration::from_millis(1), most);
        self
    }

    /// Sets whether a server is taken that acknowledges commits before they are on disk (`synchronous_commit = off`). The
    /// default is `false`: such a server is refused ([`DatabaseError::SynchronousCommitOff`]).
    ///
    /// With it, an acknowledged request may be lost when the server stops
    /// ([R46](crate::rulebook#r46) does not hold).
    #[must_use]
    pub fn asynchronous_commit(mut self, allowed: bool) -> Self {
        self.asynchronous_commit = allowed;
        self
    }

    pub(crate) fn settings(&self, options: &Options) -> Result<Settings, OpenError> {
        if self.schema.is_empty() || self.schema.contains('\0') || self.schema.len() > 63 {
            return Err(DatabaseError::NotOurSchema.into());
        }
        Ok(Settings {
            url: self.url.clone(),
            schema: self.schema.clone(),
            root_certificate: self.root_certificate.clone(),
            connections: self.connections,
            patience: self.patience,
            lax: self.asynchronous_commit,
            may_create: options.create != Create::Never && !options.read_only,
            must_create: options.create == Create::Always,
            upgrade: options.upgrade && !options.read_only,
            read_only: options.read_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r52_debug_shows_neither_the_url_nor_what_is_in_it() {
        let options = PostgresOptions::new("postgres://ann:canary@canary.example/canary")
            .root_certificate("/canary/root.pem");
        let settings = options.settings(&Options::default());
        let shown = format!("{options:?} {settings:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
