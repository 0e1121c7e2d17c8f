//! Who is let in: clients with the key or, without a key, programs on this machine.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::answer::Refusal;
use super::console;
use super::key_file::{KeyFileError, read_key_file};

/// Shorter keys can be guessed.
const SHORTEST_KEY: usize = 16;
/// Longer ones may not fit into the head of a request.
const LONGEST_KEY: usize = 4_096;

/// It needs no key: the program that restarts an unhealthy host has none. Of the other paths, only those
/// of the console need none, where it is on (see `console`).
pub(crate) const HEALTH: &str = "/healthz";
pub(crate) const METRICS: &str = "/metrics";

/// The paths that a probe may ask for without a `Host`, as it may in HTTP/1.0. A page cannot: a browser
/// always sends one.
const PROBED: [&str; 2] = [HEALTH, METRICS];

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

    pub(crate) fn with_key_file(path: &Path) -> Result<Self, CannotUseKey> {
        // With a line end.
        let key = read_key_file(path, LONGEST_KEY.saturating_add(2))?;
        let key = key.strip_suffix(b"\n").unwrap_or(&key);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&key.len()) {
            return Err(CannotUseKey::Length(path.to_owned()));
        }
        // Anything else could not be sent in the head of a request.
        if !key.iter().all(u8::is_ascii_graphic) {
            return Err(CannotUseKey::Characters(path.to_owned()));
        }
        Ok(Guard::Key(Sha256::digest(key).into()))
    }

    /// Lets a request in, or says why not. `console`: whether the console is on.
    pub(crate) fn admit<B>(&self, request: &Request<B>, console: bool) -> Result<(), Refusal> {
        let path = request.uri().path();
        match self {
            Guard::Key(_) if path == HEALTH || (console && console::has(path)) => Ok(()),
            Guard::Key(digest) => match bearer(request.headers()) {
                Some(key) if is_key(digest, key) => Ok(()),
                _ => Err(Refusal::UNAUTHORIZED),
            },
            Guard::LoopbackName => {
                let headers = request.headers();
                let no_host = request.uri().authority().is_none() && !headers.contains_key(HOST);
                if no_host && PROBED.contains(&path) {
                    return Ok(());
                }
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

/// What follows `Bearer` in the only `Authorization`.
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

/// Why a key cannot be used. Nothing of it is in this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotUseKey {
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error("the key file {} must hold a key of {SHORTEST_KEY} to {LONGEST_KEY} bytes in one line", .0.display())]
    Length(PathBuf),
    #[error("the key file {} holds other than visible ASCII characters in one line", .0.display())]
    Characters(PathBuf),
}
