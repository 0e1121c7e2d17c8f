//! How far something long has come, shown on a terminal after a second: how much, how fast, and how
//! long it takes still. Without a terminal nothing is shown.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is not worth a bar.
const AFTER: Duration = Duration::from_secs(1);

/// A bar, hidden for the first second.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    since: Instant,
    /// Whether the bar is to be drawn and is not yet: never without a terminal.
    waits: AtomicBool,
}

impl Progress {
    /// Of something counted in bytes.
    pub(crate) fn in_bytes(what: &'static str) -> Self {
        Progress::new(
            what,
            "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        )
    }

    /// Of something counted in rows.
    pub(crate) fn in_rows(what: &'static str) -> Self {
        Progress::new(
            what,
            "{msg} {bar:30} {human_pos} of {human_len} rows, {per_sec}, {eta} left",
        )
    }

    /// Of something that does not say how far it is.
    pub(crate) fn uncounted(what: &'static str) -> Self {
        Progress::new(what, "{msg} {spinner} {elapsed}")
    }

    fn new(what: &'static str, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.set_message(what);
        Progress {
            bar,
            since: Instant::now(),
            waits: AtomicBool::new(io::stderr().is_terminal()),
        }
    }

    /// So much of so much is done.
    pub(crate) fn at(&self, done: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(done.min(of));
        self.show_in_time();
    }

    /// It goes on.
    pub(crate) fn tick(&self) {
        self.show_in_time();
        self.bar.tick();
    }

    /// Prints lines, on a terminal above the bar.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    fn show_in_time(&self) {
        if self.since.elapsed() >= AFTER && self.waits.swap(false, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn end(&self) {
        self.waits.store(false, Ordering::Relaxed);
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
