//! Keeping a store open: a failed store is reopened, with back-off, until it is closed.
//!
//! This module does not know why a store failed, nor who is told.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::error::{Error, OpenError};
use crate::model::sequence::SequenceNumber;
use crate::store::ContactStore;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Instant};

/// The waits before a failed store is reopened. The wait doubles each time the store soon fails
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits from `shortest` to `longest`. A `shortest` below one millisecond counts as one
    /// millisecond, and a `longest` below `shortest` as `shortest`.
    #[must_use]
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let shortest = shortest.max(Duration::from_millis(1));
        Backoff {
            shortest,
            longest: longest.max(shortest),
        }
    }

    /// The next wait. `before` is the last wait, and the time since it ended.
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

/// An event in keeping a store open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reopening {
    /// The store refuses writes after a failure, and will be reopened.
    Waiting {
        /// The time until then.
        wait: Duration,
    },
    /// The store was reopened.
    Reopened {
        /// The number of the state found. A request whose outcome was indeterminate is in the store
        /// exactly when this is at least its own number ([R49](crate::rulebook#r49)).
        found: SequenceNumber,
    },
    /// The store could not be reopened, and reopening will be tried again.
    Failed(Error),
}

/// Keeps a store open while it is held: see [`ContactStore::keep_open`].
///
/// The guard holds a handle to the store. Dropping it ends the reopening, and waits for an attempt
/// under way.
#[must_use = "dropping it ends the reopening"]
pub struct KeepOpen {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    // Dropped after the thread has ended: the last handle of a store must not be dropped there.
    _store: ContactStore,
}

impl ContactStore {
    /// Reopens the store whenever it refuses writes after a failure, until the store is closed or
    /// the guard is dropped.
    ///
    /// It works on a thread of its own. `told` is called with each event, for the log of a host.
    ///
    /// A host that calls this need not call [`reopen`](Self::reopen). Requests made meanwhile are
    /// refused with [`Error::NeedsReopen`] and can be made again. The thread checks the store once
    /// in every shortest wait.
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
    /// [`Error::Open`] with [`OpenError::Thread`] when the thread cannot be started.
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
            // A panic of the host's own `told` was printed already, and loses nothing.
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
    fn the_wait_doubles_while_failures_follow_soon_and_starts_over_otherwise() {
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
