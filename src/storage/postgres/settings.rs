//! How a server is reached: the URL, the password, the certificates.
//!
//! This module does not connect.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::DatabaseError;

/// How often a server that says nothing is asked whether it is there, before it counts as gone.
const PROBES: u32 = 3;

/// What a connection needs to know.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) schema: String,
    pub(crate) root_certificate: Option<PathBuf>,
    /// How many connections snapshots may have.
    pub(crate) connections: usize,
    /// How long is waited for a server, and for an answer of it.
    pub(crate) patience: Duration,
    /// Whether commits that are not on disk may count as done.
    pub(crate) lax: bool,
    pub(crate) may_create: bool,
    pub(crate) must_create: bool,
    pub(crate) upgrade: bool,
    pub(crate) read_only: bool,
}

impl fmt::Debug for Settings {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The client's form of the URL, for each host that it names, with the password from where the tools of
    /// PostgreSQL look for it. At least one.
    pub(super) fn configs(&self) -> Result<Vec<Config>, DatabaseError> {
        let all: Config = self.url.parse().map_err(|_| DatabaseError::Url)?;
        let (hosts, addresses) = (all.get_hosts(), all.get_hostaddrs());
        let ports = all.get_ports();
        let count = hosts.len().max(addresses.len());
        let fits = |len: usize| len == 0 || len == count;
        if count == 0 || !fits(hosts.len()) || !fits(addresses.len()) || ports.len() > count.max(1)
        {
            return Err(DatabaseError::Url);
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(DatabaseError::Url);
        }
        let configs = (0..count).map(|at| {
            let mut config = of_no_host(&all);
            match hosts.get(at) {
                Some(Host::Tcp(host)) => _ = config.host(host.clone()),
                #[cfg(unix)]
                Some(Host::Unix(path)) => {
                    config.host_path(path);
                    // It does not leave the machine. The tools of PostgreSQL use no TLS there either.
                    if addresses.get(at).is_none() {
                        config.ssl_mode(SslMode::Disable);
                    }
                }
                None => {}
            }
            if let Some(address) = addresses.get(at) {
                config.hostaddr(*address);
            }
            if let Some(port) = ports.get(at).or_else(|| ports.first()) {
                config.port(*port);
            }
            self.complete(config)
        });
        Ok(configs.collect())
    }

    fn complete(&self, mut config: Config) -> Config {
        if config.get_user().is_none()
            && let Some(user) = variable("PGUSER").or_else(|| variable("USER"))
        {
            config.user(user);
        }
        if config.get_password().is_none()
            && let Some(password) = variable("PGPASSWORD").or_else(|| from_password_file(&config))
        {
            config.password(password);
        }
        config.application_name("contact-store");
        // A name may have several addresses, and the machine of the first may be gone.
        config.connect_timeout(self.patience.checked_div(3).unwrap_or(self.patience));
        // A server that is gone for good is noticed within about the patience, also by one that only listens.
        let probe = self.patience.checked_div(PROBES.saturating_add(1));
        let probe = probe.unwrap_or_default().max(Duration::from_secs(1));
        config
            .keepalives_idle(probe)
            .keepalives_interval(probe)
            .keepalives_retries(PROBES);
        config.tcp_user_timeout(self.patience);
        config
    }

    /// The certificates that a server's must come from: those of the file given, or of the system.
    pub(super) fn tls(&self) -> Result<ClientConfig, DatabaseError> {
        let mut roots = RootCertStore::empty();
        match &self.root_certificate {
            Some(path) => {
                let read = || -> Option<()> {
                    for certificate in CertificateDer::pem_file_iter(path).ok()? {
                        roots.add(certificate.ok()?).ok()?;
                    }
                    Some(())
                };
                let mut read = read;
                read().ok_or(DatabaseError::RootCertificate)?;
                if roots.is_empty() {
                    return Err(DatabaseError::RootCertificate);
                }
            }
            // A system without certificates has none that a server's could come from.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| DatabaseError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }
}

/// What a URL says, without the hosts.
fn of_no_host(all: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(name) = all.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    config
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding());
    config
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The password of the first line of the password file that fits. The file must be readable by its owner
/// alone, as for the tools of PostgreSQL.
fn from_password_file(config: &Config) -> Option<String> {
    let path = variable("PGPASSFILE").map(PathBuf::from).or_else(|| {
        let home = variable("HOME")?;
        Some(Path::new(&home).join(".pgpass"))
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if fs::metadata(&path).ok()?.mode() & 0o077 != 0 {
            return None;
        }
    }
    let text = fs::read_to_string(path).ok()?;
    let user = config.get_user()?;
    let database = config.get_dbname().unwrap_or(user);
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    password_of(&text, [&host, &port.to_string(), database, user])
}

/// The password of the first line of a password file that fits: `host:port:database:user:password`, where
/// `*` fits all, and a backslash takes the meaning from the character after it.
fn password_of(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let mut parts = vec![String::new()];
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            let c = match c {
                '\\' => chars.next()?,
                // The password is the rest.
                ':' if parts.len() <= wanted.len() => {
                    parts.push(String::new());
                    continue;
                }
                c => c,
            };
            parts.last_mut()?.push(c);
        }
        let (password, parts) = parts.split_last()?;
        let fits = parts.len() == wanted.len()
            && parts
                .iter()
                .zip(wanted)
                .all(|(part, wanted)| part == "*" || part == wanted);
        fits.then(|| password.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_leaves_the_machine_goes_by_tls_also_where_a_socket_of_it_is_named() {
        use crate::{Options, PostgresOptions};

        let mode = |url| {
            let settings = PostgresOptions::new(url).settings(&Options::default());
            let configs = settings.ok().and_then(|settings| settings.configs().ok());
            configs.map(|configs| configs.iter().map(Config::get_ssl_mode).collect())
        };
        let wanted = |mode| Some(vec![mode]);
        let here = "host=/run/postgresql user=ann sslmode=require";
        assert_eq!(mode(here), wanted(SslMode::Disable));
        let away = "host=/run/postgresql hostaddr=10.0.0.5 user=ann sslmode=require";
        assert_eq!(mode(away), wanted(SslMode::Require));
    }

    #[test]
    fn the_first_line_of_a_password_file_that_fits_has_the_password() {
        let text = "# db:5432:shop:ann:no\n\
                    db:5432:other:ann:no\n\
                    db:*:shop:ann:a\\:b\\\\c:d\n\
                    *:*:*:*:last\n";
        let of = |host, user| password_of(text, [host, "5432", "shop", user]);
        assert_eq!(of("db", "ann").as_deref(), Some("a:b\\c:d"));
        assert_eq!(of("db", "bob").as_deref(), Some("last"));
        assert_eq!(password_of("db:1:a", ["db", "1", "a", "b"]), None);
        assert_eq!(password_of("", ["db", "1", "a", "b"]), None);
    }
}
