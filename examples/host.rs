//! An HTTP service around a contact store: the published API, on axum and tokio.
//!
//! ```text
//! cargo run --release --example host -- --store contacts.redb --create --listen 127.0.0.1:8080
//! ```
//!
//! Built with `--features postgres`, it also serves a store in a database: `--store postgres://host/database`.
//!
//! What it answers, with lines for `curl`, is in `examples/README.md`. Each concept has a file under
//! `host/`; here is only what happens from the start of the process to its end.

#[path = "host/answer.rs"]
mod answer;
#[path = "host/backups.rs"]
mod backups;
#[path = "host/batch.rs"]
mod batch;
#[path = "host/body.rs"]
mod body;
#[path = "common/causes.rs"]
mod causes;
#[path = "host/changes.rs"]
mod changes;
#[path = "common/command_line.rs"]
pub mod command_line;
#[path = "host/console.rs"]
pub(crate) mod console;
#[path = "host/content_type.rs"]
mod content_type;
#[path = "host/guard.rs"]
pub(crate) mod guard;
#[path = "host/health.rs"]
mod health;
#[path = "common/key_file.rs"]
pub mod key_file;
#[path = "host/log.rs"]
pub(crate) mod log;
#[path = "host/logged_request.rs"]
mod logged_request;
#[path = "host/memory_budget.rs"]
mod memory_budget;
#[path = "host/metrics.rs"]
pub(crate) mod metrics;
#[path = "host/once.rs"]
mod once;
#[path = "common/open_store.rs"]
pub mod open_store;
#[path = "host/options.rs"]
pub(crate) mod options;
#[path = "host/place.rs"]
pub(crate) mod place;
#[path = "host/query.rs"]
mod query;
#[path = "host/routes.rs"]
pub(crate) mod routes;
#[path = "host/server.rs"]
pub(crate) mod server;
#[path = "host/service.rs"]
pub(crate) mod service;
#[path = "host/signals.rs"]
mod signals;
#[path = "common/store_options.rs"]
pub mod store_options;
#[path = "host/stream.rs"]
mod stream;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use contact_store::{Error, Opening, OpeningStage};
use tokio::runtime;

use causes::WithCauses;
use command_line::Asked;
use guard::{CannotUseKey, Guard};
use log::{HOST, Log};
use options::Arguments;
use place::NotOpen;
use service::{Service, Settings};

/// Threads for what may wait for the disk. As many reads go on at the same time; others wait for a thread.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    ExitCode::from(exit_status(env::args_os().skip(1)))
}

/// Serves until a signal comes. Gives the exit status: 0 when all is well, 1 when something failed,
/// 2 when the arguments are wrong.
pub(crate) fn exit_status(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::read(arguments) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Help(text)) => return u8::from(io::stdout().write_all(text.as_bytes()).is_err()),
        Err(wrong) => {
            say(&format!("{wrong}\nhost --help says what there is"));
            return 2;
        }
    };
    let filter = arguments.log_filter.clone();
    let log = match Log::start(arguments.log, filter, !arguments.quiet) {
        Ok(log) => log,
        Err(error) => {
            say(&Failure::System(error).to_string());
            return 1;
        }
    };
    let ended = run(&arguments);
    // Never by itself: standard error may be a pipe that nobody empties.
    if let Err(failure) = &ended {
        tracing::error!(target: HOST, "{failure}");
    }
    log.end();
    u8::from(ended.is_err())
}

/// Says something before there is a log. When that is not possible there is nobody to tell.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "host: {}", text.trim_end()));
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let guard = guard_of(arguments)?;
    let options = arguments.options.options();
    let mut settings = Settings::new(guard, options.limits);
    settings.policy = options.policy;
    settings.backup_directory = backup_directory_of(arguments)?;
    settings.console = arguments.console;

    // The address first: a second host on the same one then leaves the store alone.
    let cannot_listen = |error| Failure::Listen(arguments.listen, error);
    let listener = TcpListener::bind(arguments.listen).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    let options = options.on_opening(log_opening());
    let store = place::open(arguments, options).map_err(Failure::Open)?;
    if let Ok(Some(mode)) = store.stats().map(|stats| stats.wider_mode) {
        tracing::warn!(
            target: HOST,
            "others than its owner may read or write the file of the store: its mode is {mode:04o}"
        );
    }

    let served = serve(listener, Service::new(store.clone(), settings));
    // On a thread that may wait: it takes as long as the disk. Everyone whose write is still
    // queued is answered, although by now nobody listens.
    let closed = store.close().map_err(Failure::Close);
    served.and(closed)
}

/// Logs how far the opening of the store has come, once a second: a small one is opened before that.
fn log_opening() -> impl Fn(Opening) + Send + Sync {
    let last = Mutex::new(Instant::now());
    move |Opening {
              stage, done, of, ..
          }| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < Duration::from_secs(1) {
            return;
        }
        *last = Instant::now();
        match stage {
            OpeningStage::Verifying => {
                tracing::info!(target: HOST, "opening the store: {done} of {of} bytes verified");
            }
            OpeningStage::Upgrading => {
                tracing::info!(target: HOST, "upgrading the store: {done} of about {of} rows written");
            }
            _ => {}
        }
    }
}

/// Who is let in. Refuses to be open to the net without a key.
fn guard_of(arguments: &Arguments) -> Result<Guard, Failure> {
    match &arguments.api_key_file {
        Some(path) => Guard::with_key_file(path.as_ref()).map_err(Failure::Key),
        None if arguments.listen.ip().is_loopback() => Ok(Guard::loopback_names()),
        None => Err(Failure::OpenToTheNet(arguments.listen)),
    }
}

/// Where backups go. Refuses what is no directory now, not when the first backup is due.
fn backup_directory_of(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = &arguments.backup_directory else {
        return Ok(None);
    };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(Some(path.clone())),
        Ok(_) => Err(ErrorKind::NotADirectory),
        Err(error) => Err(error.kind()),
    }
    .map_err(|kind| Failure::BackupDirectory(path.clone(), kind))
}

fn serve(listener: TcpListener, service: Service) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(Failure::System)?;
    let served = runtime.block_on(async {
        let mut signals = signals::Signals::listen()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        // Only now: who reads this line may connect, and may send the signal.
        writeln!(io::stdout(), "listening on http://{address}")?;
        server::serve(listener, service, &mut signals).await;
        Ok(())
    });
    // A read that hangs on the disk must not keep the process from closing the store.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map_err(Failure::System)
}

/// Why the host ended before it was told to, or ended with an error.
#[derive(Debug)]
enum Failure {
    /// An address that others can reach needs a key.
    OpenToTheNet(SocketAddr),
    /// The key cannot be used.
    Key(CannotUseKey),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// Backups cannot go to this directory.
    BackupDirectory(PathBuf, ErrorKind),
    /// The store cannot be opened.
    Open(NotOpen),
    /// The store was not closed cleanly.
    Close(Error),
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::OpenToTheNet(address) => write!(
                f,
                "{address} can be reached by others: it is not listened on without --api-key-file"
            ),
            Failure::Key(error) => write!(f, "{error}"),
            Failure::Listen(address, error) => {
                write!(f, "{address} cannot be listened on ({})", error.kind())
            }
            Failure::BackupDirectory(path, kind) => write!(
                f,
                "the backup directory {} cannot be used ({kind})",
                path.display()
            ),
            Failure::Open(error) => write!(f, "{error}"),
            Failure::Close(error) => write!(f, "{}", WithCauses(error)),
            Failure::System(error) => write!(f, "the system refused something ({})", error.kind()),
        }
    }
}
