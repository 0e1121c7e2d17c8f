//! Waiting for what others do.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `done` gives something. Nothing that a test waits for takes longer than a minute.
#[track_caller]
pub fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(given) = done() {
            return given;
        }
        let waited = start.elapsed();
        assert!(waited.as_secs() < 60, "waited a minute until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
