//! The log, on standard error: an event for each request, and what the host has to say.
//!
//! Events are those of `tracing`, with time and level, as text or as JSON. A thread of its own writes
//! them: standard error may be a pipe that nobody empties, and waiting for it would stop the runtime's
//! threads. When lines come faster than they go, they are counted instead.
//!
//! What is logged of a request holds nothing that a client chose freely (R52): see `access`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

/// Of what the host has to say.
pub(crate) const HOST: &str = "host";
/// Of the event for each request.
pub(crate) const REQUEST: &str = "host::request";

/// Lines that wait, at most.
const WAITING: usize = 4_096;
/// For the last lines.
const LAST_LINES_TIME: Duration = Duration::from_secs(1);

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// The log of the process, until its end.
pub(crate) struct Log {
    lines: Arc<Lines>,
    /// Nothing is sent: the other end is dropped when all is written.
    written: Receiver<()>,
}

impl Log {
    /// Writes what passes the filter, from now on. A process has one log.
    pub(crate) fn start(format: Format, filter: Targets, requests: bool) -> io::Result<Self> {
        let (sender, waiting) = sync_channel(WAITING);
        let (writing, written) = sync_channel(1);
        let lines = Arc::new(Lines {
            sender: Mutex::new(Some(sender)),
            left_out: AtomicU64::new(0),
        });
        let counted = Arc::clone(&lines);
        thread::Builder::new()
            .name("host-log".to_owned())
            .spawn(move || {
                write_all(&waiting, &counted.left_out);
                drop(writing);
            })?;
        let filter = match requests {
            true => filter,
            false => filter.with_target(REQUEST, LevelFilter::OFF),
        };
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Arc::clone(&lines));
        let started = match format {
            Format::Text => {
                let subscriber = registry().with(layer).with(filter);
                tracing::subscriber::set_global_default(subscriber)
            }
            Format::Json => {
                let layer = layer.json().flatten_event(true).with_current_span(false);
                let subscriber = registry().with(layer.with_span_list(false)).with(filter);
                tracing::subscriber::set_global_default(subscriber)
            }
        };
        started.map_err(io::Error::other)?;
        Ok(Log { lines, written })
    }

    /// Takes no more events, and waits for the last lines, for a moment: where nobody reads them, the
    /// process must end all the same.
    pub(crate) fn end(self) {
        self.lines.end();
        self.written
            .recv_timeout(LAST_LINES_TIME)
            .unwrap_or_default();
    }
}

/// Where lines are handed in, each with one write.
struct Lines {
    /// `None` after the end.
    sender: Mutex<Option<SyncSender<Vec<u8>>>>,
    left_out: AtomicU64,
}

impl Lines {
    fn end(&self) {
        drop(
            self.sender
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

impl Write for &Lines {
    /// Never waits.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().map(|sender| sender.try_send(line.to_vec()));
        if !matches!(sent, Some(Ok(()))) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until nobody can hand one in any more. Those that wait are written together.
fn write_all(waiting: &Receiver<Vec<u8>>, left_out: &AtomicU64) {
    while let Ok(mut text) = waiting.recv() {
        for line in waiting.try_iter().take(WAITING) {
            text.extend_from_slice(&line);
        }
        // When nobody reads it there is nobody to tell.
        drop(io::stderr().write_all(&text));
        let left_out = left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(target: HOST, lines = left_out, "lines of the log are left out");
        }
    }
}
