//! The command line. It does not know what its values are for.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};

use contact_store::{MatchPolicy, Ownership};

pub(crate) const USAGE: &str = "\
Serves a contact store over HTTP.

Usage: host --store PATH [--listen ADDRESS] [--api-key-file PATH] [--policy cascade|top-priority]
            [--ownership shared|exclusive] [--quiet]

  --store PATH         the file of the store; it is created if there is none
  --listen ADDRESS     address and port; 127.0.0.1:8080 unless given; with port 0 a free one
  --api-key-file PATH  a file with the key that requests must carry, as Authorization: Bearer;
                       16 bytes at least, readable by its owner alone. Without it only a loopback
                       address is listened on
  --policy             which identifiers may find a contact; cascade unless given
  --ownership          what becomes of a token that another contact holds; shared unless given
  --quiet              no line on standard error for each request
  --help               this text

It ends on SIGTERM and on Ctrl-C: requests under way are answered, the store is closed. A second
signal ends it without waiting for slow clients. The exit status is 0 when that went well, 1 when
something failed, 2 when the arguments are wrong.
";

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) store: OsString,
    pub(crate) listen: SocketAddr,
    pub(crate) api_key_file: Option<OsString>,
    pub(crate) policy: MatchPolicy,
    pub(crate) ownership: Ownership,
    pub(crate) quiet: bool,
}

impl Arguments {
    /// Reads the arguments; `None` when they ask for help. What is wrong is said without the text
    /// of any argument.
    pub(crate) fn parse(
        given: impl IntoIterator<Item = OsString>,
    ) -> Result<Option<Self>, &'static str> {
        let mut given = given.into_iter();
        let (mut store, mut listen, mut key, mut policy, mut ownership) =
            (None, None, None, None, None);
        let mut quiet = false;
        while let Some(argument) = given.next() {
            let (known, missing) = match argument.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--quiet") => {
                    if std::mem::replace(&mut quiet, true) {
                        return Err("an option is given twice");
                    }
                    continue;
                }
                Some("--store") => (&mut store, "--store needs a path"),
                Some("--listen") => (&mut listen, "--listen needs an address"),
                Some("--api-key-file") => (&mut key, "--api-key-file needs a path"),
                Some("--policy") => (&mut policy, "--policy needs cascade or top-priority"),
                Some("--ownership") => (&mut ownership, "--ownership needs shared or exclusive"),
                _ => return Err("an argument is not known"),
            };
            if known.replace(given.next().ok_or(missing)?).is_some() {
                return Err("an option is given twice");
            }
        }
        Ok(Some(Arguments {
            store: store.ok_or("--store is required")?,
            listen: listen.as_deref().map_or(Ok(LISTEN), address)?,
            api_key_file: key,
            policy: policy.as_deref().map_or(Ok(MatchPolicy::Cascade), |word| {
                match word.to_str() {
                    Some("cascade") => Ok(MatchPolicy::Cascade),
                    Some("top-priority") => Ok(MatchPolicy::TopPriority),
                    _ => Err("--policy is cascade or top-priority"),
                }
            })?,
            ownership: ownership.as_deref().map_or(Ok(Ownership::Shared), |word| {
                match word.to_str() {
                    Some("shared") => Ok(Ownership::Shared),
                    Some("exclusive") => Ok(Ownership::Exclusive),
                    _ => Err("--ownership is shared or exclusive"),
                }
            })?,
            quiet,
        }))
    }
}

fn address(word: &OsStr) -> Result<SocketAddr, &'static str> {
    word.to_str()
        .and_then(|word| word.parse().ok())
        .ok_or("--listen is an IP address and a port, such as 127.0.0.1:8080")
}
