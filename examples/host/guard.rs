//! Who is let in: whoever has the key, or, where there is none, programs on this machine.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::answer::Refusal;

/// Shorter keys can be guessed.
const SHORTEST_KEY: usize = 16;
/// Longer ones may not fit into the head of a request.
const LONGEST_KEY: usize = 4_096;

/// The one path that needs no key: whoever restarts a host that is not well has none.
pub(crate) const OPEN_PATH: &str = "/healthz";

/// What a request must show.
pub(crate) enum Guard {
    /// The key, of which only the digest is kept.
    Key([u8; 32]),
    /// A name of this machine as `Host`.
    ///
    /// A page from anywhere, open in a browser on this machine, can have its own name lead to
    /// 127.0.0.1 and then read what it fetches from there (DNS rebinding). Such a request carries
    /// the page's name. Without that trick a page cannot read answers, and cannot send JSON or
    /// DELETE either: a browser asks for leave first, which is not given here.
    LoopbackName,
}

impl Guard {
    pub(crate) fn loopback_names() -> Self {
        Guard::LoopbackName
    }

    pub(crate) fn with_key_file(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path)?;
        refuse_readable_by_others(&file)?;
        let mut key = Vec::new();
        let most = LONGEST_KEY.saturating_add(2) as u64;
        file.take(most).read_to_end(&mut key)?;
        let key = key.strip_suffix(b"\n").unwrap_or(&key);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&key.len()) {
            return Err(KeyFileError::Length);
        }
        // Anything else could not be sent in the head of a request.
        if !key.iter().all(u8::is_ascii_graphic) {
            return Err(KeyFileError::Characters);
        }
        Ok(Guard::Key(Sha256::digest(key).into()))
    }

    /// Lets a request in, or says why not.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        match self {
            Guard::Key(_) if request.uri().path() == OPEN_PATH => Ok(()),
            Guard::Key(digest) => match bearer(request.headers()) {
                Some(key) if is_key(digest, key) => Ok(()),
                _ => Err(Refusal::UNAUTHORIZED),
            },
            Guard::LoopbackName => {
                // A request for a whole URL means the name in that, whatever `Host` says.
                let host = match request.uri().authority() {
                    Some(authority) => Some(authority.clone()),
                    None => host(request.headers()),
                };
                match host {
                    Some(host) if is_loopback_name(&host) => Ok(()),
                    Some(_) => Err(Refusal::FOREIGN_HOST),
                    None => Err(Refusal::NO_HOST),
                }
            }
        }
    }
}

// In constant time, so that nobody learns from the time of the answer how much of a key is right;
// of digests, so that nobody learns how long it is.
fn is_key(digest: &[u8; 32], key: &[u8]) -> bool {
    digest.ct_eq(&<[u8; 32]>::from(Sha256::digest(key))).into()
}

/// What stands behind `Bearer` in the only `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = only(headers, AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(b"Bearer ".len())?;
    let key = key.trim_ascii_start();
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    Authority::try_from(only(headers, HOST)?.as_bytes()).ok()
}

fn only(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// A loopback address, which no page's name can be, or `localhost`, with any port.
fn is_loopback_name(host: &Authority) -> bool {
    let name = host.host();
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = address.unwrap_or(name).parse::<IpAddr>();
    !host.as_str().contains('@')
        && (name.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback()))
}

#[cfg(unix)]
fn refuse_readable_by_others(file: &File) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;

    if file.metadata()?.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::ReadableByOthers)
    }
}

// Without modes the directory decides who may read it.
#[cfg(not(unix))]
fn refuse_readable_by_others(_: &File) -> Result<(), KeyFileError> {
    Ok(())
}

/// Why a key file is of no use. Nothing of the key is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("cannot be read ({})", .0.kind())]
    Io(#[from] io::Error),
    #[error("may be read or written by others than its owner: set its mode to 600")]
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no modes"))]
    ReadableByOthers,
    #[error("must hold a key of {SHORTEST_KEY} to {LONGEST_KEY} bytes in one line")]
    Length,
    #[error("holds something else than visible ASCII characters in one line")]
    Characters,
}
