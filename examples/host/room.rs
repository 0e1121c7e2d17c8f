//! Room for the bytes that are held at once: those of bodies, and those of answers until the client
//! has taken them.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many bytes, to be shared.
#[derive(Clone)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    all: u32,
}

/// There is no room for more.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Room {
            free: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// An empty share, which grows as bytes come. It never waits: clients that each hold a part and
    /// wait for more would wait for ever.
    pub(crate) fn share(&self) -> Result<Share, NoRoom> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(0);
        permit.map(Share).map_err(|_| NoRoom)
    }

    /// Waits for a share of so many bytes at once, or of all there are. Everybody has a turn.
    pub(crate) async fn wait_for(&self, bytes: usize) -> Result<Share, NoRoom> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.all);
        let permit = Arc::clone(&self.free).acquire_many_owned(bytes).await;
        permit.map(Share).map_err(|_| NoRoom)
    }
}

/// A part of the room, which is free again when this is dropped.
pub(crate) struct Share(OwnedSemaphorePermit);

impl Share {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let bytes = u32::try_from(bytes).map_err(|_| NoRoom)?;
        let more = Arc::clone(self.0.semaphore()).try_acquire_many_owned(bytes);
        self.0.merge(more.map_err(|_| NoRoom)?);
        Ok(())
    }

    /// Gives back what is over so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(bytes)));
    }
}

/// A text that grows only while there is room for it.
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
            grown.map_err(|NoRoom| io::ErrorKind::OutOfMemory)?;
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
