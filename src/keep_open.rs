//! Reopening a failed store, with back-off, until it is closed.
//!
//! This module does not know why a store failed, nor who hears of it.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::error::{Error, OpenError};
use crate::model::sequence::SequenceNumber;
use crate::store::ContactStore;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Instant};

/// How long to wait before a failed store is reopened: twice as long each time while it fails again soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
}

impl Backoff {
    /// From `shortest` to `longest`. Less than a millisecond counts as one, and a `longest` below
    /// `shortest` as `shortest`.
    #[must_use]
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let shortest = shortest.max(Duration::from_millis(1));
        Backoff {
            shortest,
            longest: longest.max(shortest),
        }
    }

    /// How long to wait next. `before` is how long it was last, and how long ago that was over.
    fn next(self, before: Option<(Duration, Duration)>) -> Duration {
        match before {
            Some((wait, ago)) if ago < self.longest => wait.saturating_mul(2).min(self.longest),
            _ => self.shortest,
        }
    }
}

/// From 100 milliseconds to 10 seconds.
impl Default for Backoff {
    fn default() -> Self {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

/// What is told of a store that is kept open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reopening {
    /// The store takes no writes after a failure, and will be reopened.
    Waiting {
        /// After this time.
        wait: Duration,
    },
    /// It is reopened.
    Reopened {
        /// The number of the state found: a request whose outcome was indeterminate is in exactly when
        /// its number is reached (R49).
        found: SequenceNumber,
    },
    /// It could not be reopened, and will be tried again.
    Failed(Error),
}

/// Keeps a store open while it is held: see [`ContactStore::keep_open`].
///
/// It is a handle of the store, too. Dropping it ends the reopening, and waits for one that is under way.
#[must_use = "dropping it ends the reopening"]
pub struct KeepOpen {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    // Dropped after the thread has ended: the last handle of a store must not be dropped there.
    _store: ContactStore,
}

impl ContactStore {
    /// Reopens the store whenever it takes no writes after a failure, on a thread of its own, until the
    /// store is closed or the guard is dropped. `told` hears what happens, for the log of a host.
    ///
    /// A host that does this needs no other care: requests made meanwhile are refused with
    /// [`Error::NeedsReopen`] and can be made again. It looks as often as the shortest wait.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = ContactStore::open_in_memory(Options::default())?;
    /// let keeping = store.keep_open(Backoff::default(), |event| match event {
    ///     Reopening::Waiting { wait } => println!("reopened in {} ms", wait.as_millis()),
    ///     Reopening::Reopened { found } => println!("reopened at number {found}"),
    ///     Reopening::Failed(error) => println!("not reopened: {error}"),
    ///     _ => {}
    /// })?;
    /// // ... serve ...
    /// drop(keeping);
    /// store.close()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Open`] with [`OpenError::Thread`] when the system gives no thread.
    pub fn keep_open(
        &self,
        backoff: Backoff,
        told: impl FnMut(&Reopening) + Send + 'static,
    ) -> Result<KeepOpen, Error> {
        let (stop, stopped) = channel();
        let store = self.clone();
        let thread = thread::Builder::new()
            .name("contact-store-keep-open".to_owned())
            .spawn(move || keep_open(&store, backoff, &stopped, told))
            .map_err(|error| OpenError::Thread(Arc::new(error)))?;
        Ok(KeepOpen {
            stop: Some(stop),
            thread: Some(thread),
            _store: self.clone(),
        })
    }
}

fn keep_open(
    store: &ContactStore,
    backoff: Backoff,
    stopped: &Receiver<()>,
    mut told: impl FnMut(&Reopening),
) {
    let is_stopped = |wait| stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
    let mut before: Option<(Duration, Instant)> = None;
    while !is_stopped(backoff.shortest) {
        match store.needs_reopen() {
            Ok(false) => continue,
            Ok(true) => {}
            Err(_) => return,
        }
        let wait = backoff.next(before.map(|(wait, at)| (wait, at.elapsed())));
        told(&Reopening::Waiting { wait });
        if is_stopped(wait) {
            return;
        }
        let reopened = store.reopen();
        before = Some((wait, Instant::now()));
        match reopened {
            Ok(found) => told(&Reopening::Reopened { found }),
            Err(Error::Closed) => return,
            Err(error) => told(&Reopening::Failed(error)),
        }
    }
}

impl Drop for KeepOpen {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the host's own `told` was printed already, and nothing is lost by it.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for KeepOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepOpen").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_while_it_fails_again_soon_and_begin_anew_after_a_while() {
        let ms = Duration::from_millis;
        let backoff = Backoff::new(ms(100), ms(350));
        assert_eq!(backoff.next(None), ms(100));
        assert_eq!(backoff.next(Some((ms(100), ms(0)))), ms(200));
        assert_eq!(backoff.next(Some((ms(200), ms(349)))), ms(350));
        assert_eq!(backoff.next(Some((ms(350), ms(350)))), ms(100));
        assert_eq!(backoff.next(Some((Duration::MAX, ms(0)))), ms(350));
        let odd = Backoff::new(ms(0), ms(0));
        assert_eq!(odd.next(Some((ms(5), ms(0)))), ms(1));
    }
}
