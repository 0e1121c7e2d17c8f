//! Times and the clock that a store reads (R54).
//!
//! Nothing here knows what a time is used for. Only the store's public face reads the clock, once
//! for each request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `millis` milliseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same time as the system counts; `None` when it is later than the system can say.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

/// Whole milliseconds; a time before 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Tells a store the time. Given when it is opened; the default is [`SystemClock`].
///
/// A clock may jump or stand still: the rules only compare times, they never count on an order.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The system's time; a system whose clock stands before 1970 counts as 1970.
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that stands where it is put: for the tests of a host.
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
    /// A clock that stands at `time`.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        ManualClock(AtomicU64::new(time.0))
    }

    /// Puts it to `time`, which may be earlier.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.0, Ordering::SeqCst);
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let later = |now: u64| Some(now.saturating_add(by));
        // It never fails: there always is a later time.
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

/// The two times of one request: the clock's when it was made, and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestTime {
    clock: Timestamp,
    at: Timestamp,
}

impl RequestTime {
    /// A request made at `clock` that says it is of time `at` (R54).
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

    /// The time of a part of the request that may name its own.
    pub(crate) fn of_part(self, at: Option<Timestamp>) -> Timestamp {
        at.map_or(self.at, |at| self.not_after_clock(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r54_a_time_is_that_of_the_system_in_whole_milliseconds_since_1970() {
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
    fn a_manual_clock_stands_where_it_was_put() {
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
