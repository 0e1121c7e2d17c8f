//! A budget for the bytes that are held in memory: those of bodies, and those of answers until the client
//! has taken them.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of bytes that all requests share.
#[derive(Clone)]
pub(crate) struct MemoryBudget {
    free: Arc<Semaphore>,
    all: u32,
}

/// The budget has no more bytes.
#[derive(Debug)]
pub(crate) struct BudgetExceeded;

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        MemoryBudget {
            free: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// An empty share, which grows as bytes come. Growing never waits: clients that each held a part and
    /// waited for more would wait for ever.
    pub(crate) fn share(&self) -> Result<Share, BudgetExceeded> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(0);
        permit.map(Share).map_err(|_| BudgetExceeded)
    }

    /// Waits for a share of `bytes`, or of the whole budget if that is smaller. Waiters are served in order.
    pub(crate) async fn wait_for(&self, bytes: usize) -> Result<Share, BudgetExceeded> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.all);
        let permit = Arc::clone(&self.free).acquire_many_owned(bytes).await;
        permit.map(Share).map_err(|_| BudgetExceeded)
    }
}

/// A part of the budget, given back when it is dropped.
pub(crate) struct Share(OwnedSemaphorePermit);

impl Share {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        let bytes = u32::try_from(bytes).map_err(|_| BudgetExceeded)?;
        let more = Arc::clone(self.0.semaphore()).try_acquire_many_owned(bytes);
        self.0.merge(more.map_err(|_| BudgetExceeded)?);
        Ok(())
    }

    /// Gives back what is over `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(bytes)));
    }
}

/// A text that grows only as far as the budget allows.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) share: Share,
}

impl io::Write for Text {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let held = self.share.0.num_permits();
        let lacking = self.bytes.len().saturating_add(more.len());
        let lacking = lacking.saturating_sub(held);
        if lacking > 0 {
            // As a vector does, so that few steps are enough.
            let grown = self.share.grow(lacking.max(held));
            grown.map_err(|BudgetExceeded| io::ErrorKind::OutOfMemory)?;
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
