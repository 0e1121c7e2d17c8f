//! Lines on standard error: one for each request, and what the host has to say.
//!
//! A thread of its own writes them: standard error may be a pipe that nobody empties, and waiting for
//! it would stop the runtime's threads. When lines come faster than they go, they are counted instead.
//!
//! What is logged of a request holds nothing that a client chose freely (R52): see `access`.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that wait, at most.
const WAITING: usize = 4_096;
/// For the last lines.
const LAST_LINES_TIME: Duration = Duration::from_secs(1);

/// Where lines are handed in. All clones are one log.
#[derive(Clone)]
pub(crate) struct Log {
    lines: Option<SyncSender<String>>,
    left_out: Arc<AtomicU64>,
    requests: bool,
}

impl Log {
    /// A log that goes nowhere.
    pub(crate) fn none() -> Self {
        Log {
            lines: None,
            left_out: Arc::default(),
            requests: false,
        }
    }

    /// A log on standard error, with or without a line for each request; and how to wait for its
    /// last lines.
    pub(crate) fn start(requests: bool) -> io::Result<(Self, LastLines)> {
        let (lines, waiting) = sync_channel(WAITING);
        let (writing, written) = sync_channel(1);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        thread::Builder::new()
            .name("host-log".to_owned())
            .spawn(move || {
                write_all(&waiting, &counted);
                drop(writing);
            })?;
        let log = Log {
            lines: Some(lines),
            left_out,
            requests,
        };
        Ok((log, LastLines(written)))
    }

    /// Logs what the host has to say.
    pub(crate) fn say(&self, text: &str) {
        self.line(format!("host: {text}\n"));
    }

    /// Logs a request.
    pub(crate) fn request(&self, line: impl FnOnce() -> String) {
        if self.requests {
            self.line(line());
        }
    }

    fn line(&self, line: String) {
        if let Some(lines) = &self.lines
            && lines.try_send(line).is_err()
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The lines that are written when the last clone of the log is dropped.
pub(crate) struct LastLines(Receiver<()>);

impl LastLines {
    /// Waits for them, for a moment: where nobody reads them, the process must end all the same.
    pub(crate) fn wait(self) {
        // Nothing is sent: the other end is dropped when all is written.
        self.0.recv_timeout(LAST_LINES_TIME).unwrap_or_default();
    }
}

/// Writes lines until nobody can hand one in any more. Those that wait are written together.
fn write_all(waiting: &Receiver<String>, left_out: &AtomicU64) {
    while let Ok(mut text) = waiting.recv() {
        for line in waiting.try_iter().take(WAITING) {
            text.push_str(&line);
        }
        let left_out = left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            text.push_str(&format!("host: {left_out} lines are left out\n"));
        }
        // When nobody reads it there is nobody to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
}
