//! A disk in memory that can be copied at any moment, and that can be made to hold up each sync
//! it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use contact_store::Disk;

use crate::support::blocks::Blocks;
use crate::support::cases::HANG;

/// A disk in memory. Copies share their blocks until one of them is written to.
#[derive(Default)]
pub struct MemoryDisk {
    bytes: Mutex<Blocks>,
    unplugged: AtomicBool,
    gate: Mutex<GateState>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    shut: bool,
    /// How often it was synced, the one that is held up included.
    arrived: u64,
    /// How many of these may return while it is shut.
    passes: u64,
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryDisk")
    }
}

impl MemoryDisk {
    /// The disk as it is now: what is left of it after the process was killed.
    pub fn copy(&self) -> Self {
        MemoryDisk {
            bytes: Mutex::new(self.bytes.lock().unwrap().clone()),
            ..MemoryDisk::default()
        }
    }

    /// Refuses to be written to from now on: what is there is there.
    pub fn unplug(&self) {
        self.unplugged.store(true, Ordering::SeqCst);
    }

    fn check_plugged(&self) -> io::Result<()> {
        if self.unplugged.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    /// Holds up every sync of the disk from now on.
    pub fn shut(self: &Arc<Self>) -> Gate {
        let mut state = self.gate.lock().unwrap();
        state.shut = true;
        state.passes = state.arrived;
        drop(state);
        Gate(Arc::clone(self))
    }

    /// How often the disk was synced.
    pub fn syncs(&self) -> u64 {
        self.gate.lock().unwrap().arrived
    }
}

/// A disk that is shut. It opens when this is dropped, also by a failing test: closing the
/// store would otherwise wait for ever.
pub struct Gate(Arc<MemoryDisk>);

impl Gate {
    /// Waits until the writer is held up.
    pub fn wait(&self) {
        drop(self.held());
    }

    /// Lets the writer, which is held up, go on to its next sync, and waits for that.
    pub fn step(&self) {
        let mut state = self.held();
        state.passes += 1;
        drop(state);
        self.0.moved.notify_all();
        self.wait();
    }

    fn held(&self) -> MutexGuard<'_, GateState> {
        let state = self.0.gate.lock().unwrap();
        let is_held = |state: &mut GateState| state.arrived <= state.passes;
        let waited = self.0.moved.wait_timeout_while(state, HANG, is_held);
        let (state, timed_out) = waited.unwrap();
        assert!(!timed_out.timed_out(), "nobody syncs the disk");
        state
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Also while a test unwinds.
        let gate = self.0.gate.lock();
        gate.unwrap_or_else(PoisonError::into_inner).shut = false;
        self.0.moved.notify_all();
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Disk for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.lock().unwrap().read(place(offset), out)
    }

    fn write(&self, offset: u64, written: &[u8]) -> io::Result<()> {
        self.check_plugged()?;
        self.bytes.lock().unwrap().write(place(offset), written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_plugged()?;
        self.bytes.lock().unwrap().set_len(place(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check_plugged()?;
        let state = self.gate.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.arrived += 1;
        self.moved.notify_all();
        let is_held = |state: &mut GateState| state.shut && state.arrived > state.passes;
        let waited = self.moved.wait_while(state, is_held);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}
