//! Waiting for changes: on a thread or in a task, without polling (R60).
//!
//! A waiter is woken once the state that has what it waits for is published, when the store fails, and when
//! it closes. This module does not know what a change is.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::block_on::block_on;
use crate::error::Error;
use crate::model::change::ChangePosition;
use crate::sync::{Arc, Instant, Mutex, MutexGuard, PoisonError};

use super::queue::Task;
use super::{Phase, Shared, Writer};

/// A wait for changes after a position ([R60](crate::rulebook#r60)), from
/// [`ContactStore::wait_for_changes`](crate::ContactStore::wait_for_changes).
///
/// Wait with [`wait`](Self::wait) or [`wait_timeout`](Self::wait_timeout), or `.await` it in any
/// runtime. Its output says that there are changes, or why they cannot be read. Dropping it ends the wait.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default().change_feed(KeepChanges::default()))?;
/// let read_to = store.snapshot()?.newest_change();
/// let changes = store.wait_for_changes(read_to);
/// store.upsert(Upsert::new(DedupeOn::Email).contact(ContactUpdate::new().email("ann@example.com"))).wait()?;
/// changes.wait()?;
/// assert_eq!(store.snapshot()?.changes(read_to, 100)?.changes.len(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "it waits only when it is waited for or awaited"]
pub struct WaitForChanges {
    shared: Arc<Shared>,
    after: ChangePosition,
    ticket: Option<u64>,
    /// Of a store that others write to: how often the writer had looked where it stands when this was
    /// first polled.
    looked: Option<u64>,
}

impl WaitForChanges {
    /// Waits until there are changes.
    ///
    /// # Errors
    ///
    /// [`Error::ChangesNotKept`] and [`Error::ChangesAhead`] as for
    /// [`Snapshot::changes`](crate::Snapshot::changes); [`Error::NeedsReopen`] when a commit or read
    /// failed; [`Error::Closed`].
    pub fn wait(mut self) -> Result<(), Error> {
        // Without a limit there is always an answer.
        block_on(&mut self, None).unwrap_or(Err(Error::Closed))
    }

    /// Waits until there are changes, for at most `limit`; `None` when there are none yet.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<(), Error>> {
        block_on(self, Instant::now().checked_add(limit))
    }
}

impl Future for WaitForChanges {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(answer) = self.answer() {
            return Poll::Ready(answer);
        }
        let ticket = self.shared.waiters.enter(self.ticket, self.after, context);
        self.ticket = Some(ticket);
        if self.looked.is_none() && self.shared.is_remote() {
            self.looked = Some(self.shared.waiters.looks());
            if let Err(error) = self.shared.queue.ask(Task::Look) {
                return Poll::Ready(Err(error));
            }
        }
        // A state that was published in between woke nobody.
        match self.answer() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }
    }
}

impl WaitForChanges {
    /// What it is answered now; `None` when it goes on.
    fn answer(&self) -> Option<Result<(), Error>> {
        let answer = self.shared.answer(self.after);
        // What was published last may be older than what others wrote, and than the position.
        let is_old = || {
            let looked = self
                .looked
                .map(|before| self.shared.waiters.looks() > before);
            self.shared.is_remote() && looked != Some(true)
        };
        match answer {
            Some(Err(Error::ChangesAhead { .. })) if is_old() => None,
            answer => answer,
        }
    }
}

impl Drop for WaitForChanges {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.waiters.leave(ticket);
        }
    }
}

impl fmt::Debug for WaitForChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForChanges")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// A wait for changes after a position.
    pub(crate) fn wait_for_changes(&self, after: ChangePosition) -> WaitForChanges {
        WaitForChanges {
            shared: Arc::clone(&self.shared),
            after,
            ticket: None,
            looked: None,
        }
    }
}

impl Shared {
    /// What a wait is answered now; `None` when it goes on.
    fn answer(&self, after: ChangePosition) -> Option<Result<(), Error>> {
        let phase = self.phase.read();
        let has_changes = match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) if !committed.is_broken() => committed.has_changes_after(after),
            Phase::Open(_) | Phase::Failed(_) => Err(Error::NeedsReopen),
            Phase::Closed => Err(Error::Closed),
        };
        match has_changes {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether others write to the store as well.
    fn is_remote(&self) -> bool {
        let phase = self.phase.read();
        match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) | Phase::Failed(Some(committed)) => committed.is_remote(),
            Phase::Failed(None) | Phase::Closed => false,
        }
    }

    /// Wakes those whose wait is over in the phase that was just set.
    pub(super) fn wake_waiters(&self) {
        self.waiters.wake(|after| self.answer(after).is_some());
    }
}

/// Those that wait, by ticket.
#[derive(Default)]
pub(super) struct Waiters(Mutex<Entered>);

#[derive(Default)]
struct Entered {
    waiting: BTreeMap<u64, (ChangePosition, Waker)>,
    next_ticket: u64,
    /// How often the writer looked where the store stands.
    looks: u64,
}

// Wakers are foreign code: none is cloned, woken or dropped while the lock is held.
impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Entered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a waiter, or replaces its waker. Gives its ticket.
    fn enter(&self, ticket: Option<u64>, after: ChangePosition, context: &Context<'_>) -> u64 {
        let waker = context.waker().clone();
        let mut entered = self.lock();
        let ticket = ticket.unwrap_or(entered.next_ticket);
        entered.next_ticket = entered.next_ticket.max(ticket.wrapping_add(1));
        let before = entered.waiting.insert(ticket, (after, waker));
        drop(entered);
        drop(before);
        ticket
    }

    /// Whether anybody waits.
    pub(super) fn are_there(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    fn looks(&self) -> u64 {
        self.lock().looks
    }

    /// Notes that the writer looked where the store stands.
    pub(super) fn note_look(&self) {
        let mut entered = self.lock();
        entered.looks = entered.looks.saturating_add(1);
    }

    fn leave(&self, ticket: u64) {
        let left = self.lock().waiting.remove(&ticket);
        drop(left);
    }

    /// Wakes those for whose position `is_over`. They enter again if they wait on.
    fn wake(&self, is_over: impl Fn(ChangePosition) -> bool) {
        let mut woken = Vec::new();
        self.lock().waiting.retain(|_, (after, waker)| {
            let stays = !is_over(*after);
            if !stays {
                woken.push(std::mem::replace(waker, Waker::noop().clone()));
            }
            stays
        });
        for waker in woken {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }
}
