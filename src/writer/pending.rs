//! A write that is under way: waited for on a thread, or awaited in a task.
//!
//! Tied to no async runtime. This module does not know what is written.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::block_on::block_on;
use crate::error::Error;
use crate::model::sequence::Committed;
use crate::sync::{Arc, Instant, oneshot};

use super::job::Answer;
use super::queue::Queue;

/// A write under way.
///
/// The write is queued: dropping this does not cancel it, except while it still waits for its place
/// in a full queue ([`WhenFull::Wait`](crate::WhenFull::Wait)). Wait for it with
/// [`wait`](Pending::wait) or [`wait_timeout`](Pending::wait_timeout), or `.await` it in any
/// runtime.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// let mut pending = store.erase(ContactId::new(1)?);
/// while pending.wait_timeout(std::time::Duration::from_secs(1)).is_none() {
///     println!("the disk is slow today");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "whether the write was accepted is in its answer"]
pub struct Pending<T> {
    answer: oneshot::Receiver<Answer<T>>,
    taken: bool,
    /// The queue and the ticket of a job in its lobby.
    lobby: Option<(Arc<Queue>, u64)>,
}

impl<T> Pending<T> {
    pub(super) fn new(
        answer: oneshot::Receiver<Answer<T>>,
        lobby: Option<(Arc<Queue>, u64)>,
    ) -> Self {
        Pending {
            answer,
            taken: false,
            lobby,
        }
    }

    /// A write that was refused before it was queued.
    pub(super) fn refused(error: Error) -> Self {
        let (reply, answer) = oneshot::channel();
        drop(reply.send(Err(error)));
        Pending::new(answer, None)
    }

    /// Waits for the answer, as long as the disk takes.
    ///
    /// # Errors
    ///
    /// Whatever the request was answered: see the method that made it.
    pub fn wait(mut self) -> Result<Committed<T>, Error> {
        // Without a limit there is always an answer.
        block_on(&mut self, None).unwrap_or(Err(Error::Closed))
    }

    /// Waits for the answer for at most `limit`; `None` when there is none yet. The write goes on.
    ///
    /// # Errors
    ///
    /// Whatever the request was answered; [`Error::AnswerTaken`] when the answer was given before.
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<Committed<T>, Error>> {
        block_on(self, Instant::now().checked_add(limit))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<Committed<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.taken {
            return Poll::Ready(Err(Error::AnswerTaken));
        }
        let answer = Pin::new(&mut self.answer).poll(context);
        answer.map(|answer| {
            self.taken = true;
            // The writer answers every caller; one that ended before its time answers none.
            answer.unwrap_or(Err(Error::Closed))
        })
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some((queue, ticket)) = self.lobby.take() {
            queue.withdraw(ticket);
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// Waits for a reply that is not a write's.
pub(super) fn wait_for<T>(mut reply: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
    match block_on(&mut reply, None) {
        Some(Ok(reply)) => reply,
        Some(Err(_)) | None => Err(Error::Closed),
    }
}
