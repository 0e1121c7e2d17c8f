//! Times and the clock that a store reads (R54).
//!
//! This module does not know what a time is used for. Only the store's handle reads the clock, once
//! for each request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes the time `millis` milliseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// Returns the milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the same time as a [`SystemTime`], or `None` if it is later than the system can
    /// represent.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

/// Drops fractions of a millisecond. A time before 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The clock of a store, set when it is opened. The default is [`SystemClock`].
///
/// A clock may jump or stand still. The rules only compare times, and never rely on their order.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// Returns the system's time. A time before 1970 counts as 1970.
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that stands still until it is set, for the tests of a host.
///
/// ```
/// # use contact_store::*;
/// # use std::sync::Arc;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
/// let store = ContactStore::open_in_memory(Options::default().clock(clock.clone()))?;
/// clock.set(Timestamp::from_millis(5_000));
/// let ann = ContactUpdate::new().email("ann@example.com");
/// store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
/// let ann = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
/// assert_eq!(ann.created_at, clock.now());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Makes a clock that stands at `time`.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        ManualClock(AtomicU64::new(time.0))
    }

    /// Sets the clock to `time`, which may be earlier.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.0, Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let later = |now: u64| Some(now.saturating_add(by));
        // This never fails: the closure always returns a time.
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later)
            .unwrap_or_default();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The two times of a request: the clock's when it was made, and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestTime {
    clock: Timestamp,
    at: Timestamp,
}

impl RequestTime {
    /// The times of a request made at `clock` that gives its own time as `at` (R54).
    pub(crate) fn new(clock: Timestamp, at: Option<Timestamp>) -> Self {
        RequestTime {
            clock,
            at: at.map_or(clock, |at| at.min(clock)),
        }
    }

    /// The time of the request.
    pub(crate) fn at(self) -> Timestamp {
        self.at
    }

    /// `time`, but no later than the clock when the request was made (R54).
    pub(crate) fn not_after_clock(self, time: Timestamp) -> Timestamp {
        time.min(self.clock)
    }

    /// The time of a part of the request, which may have its own.
    pub(crate) fn of_part(self, at: Option<Timestamp>) -> Timestamp {
        at.map_or(self.at, |at| self.not_after_clock(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r54_a_system_time_becomes_whole_milliseconds_since_1970() {
        let later = |by| UNIX_EPOCH.checked_add(Duration::from_micros(by));
        assert_eq!(
            later(1_500_999).map(Timestamp::from),
            Some(Timestamp(1_500))
        );
        assert_eq!(Timestamp(1_500).to_system_time(), later(1_500_000));
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        assert_eq!(before.map(Timestamp::from), Some(Timestamp(0)));
    }

    #[test]
    fn a_manual_clock_stays_where_it_was_set() {
        let clock = ManualClock::at(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp(1_005));
        clock.set(Timestamp(7));
        assert_eq!(clock.now(), Timestamp(7));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp(u64::MAX));
    }
}
