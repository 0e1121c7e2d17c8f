//! How much was replayed.

use std::fmt;
use std::time::Duration;

use contact_store::EntryError;

/// What was replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Lines answered.
    pub lines: u64,
    /// Lines refused whole.
    pub refused_lines: u64,
    /// Entries of requests with tokens, statuses or contacts answered.
    pub entries: u64,
    /// Entries refused.
    pub refused_entries: u64,
    /// Bytes of the log up to which every line is answered.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    pub(super) fn count<T>(&mut self, entries: &[Result<T, EntryError>]) {
        let refused = entries.iter().filter(|entry| entry.is_err()).count();
        self.entries = self.entries.saturating_add(entries.len() as u64);
        self.refused_entries = self.refused_entries.saturating_add(refused as u64);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "{} lines ({} refused) with {} entries ({} refused) in {seconds:.3} s",
            self.lines, self.refused_lines, self.entries, self.refused_entries,
        )?;
        // Counts are far below the 2^53 from which on a float loses digits, and this is for people.
        let rate = |count: u64| count as f64 / seconds;
        if seconds > 0.0 {
            write!(
                f,
                ": {:.0} lines/s, {:.0} entries/s",
                rate(self.lines),
                rate(self.entries)
            )?;
        }
        Ok(())
    }
}
