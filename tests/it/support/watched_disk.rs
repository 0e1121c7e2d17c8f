//! A disk in memory that counts what is asked of it, and can hold the writer in the middle of a
//! commit.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contact_store::{ContactStore, Disk, Options};

use super::cases::HANG;

/// See the module.
#[derive(Debug, Default)]
pub struct WatchedDisk {
    bytes: Mutex<Vec<u8>>,
    reads: AtomicU64,
    syncs: AtomicU64,
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    /// How many more may pass; `None` while everyone may.
    passes: Option<u64>,
    someone_waits: bool,
}

impl WatchedDisk {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Opens the store on this disk, or creates it.
    pub fn open(self: &Arc<Self>, options: &Options) -> ContactStore {
        ContactStore::open_on_disk(self.clone(), options.clone()).unwrap()
    }

    /// How often it was read.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// How often it was told to make everything durable.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    /// From now on nothing becomes durable.
    pub fn hold(&self) {
        self.gate.lock().unwrap().passes = Some(0);
    }

    /// Nothing becomes durable as long as the hold is there. Better than [`hold`](Self::hold) where an
    /// assertion comes before the end of it: a test that fails lets go, and its store can close.
    pub fn held(self: &Arc<Self>) -> Hold {
        self.hold();
        Hold(self.clone())
    }

    /// Lets everything go on.
    pub fn let_go(&self) {
        // Also while a test unwinds.
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.passes = None;
        drop(gate);
        self.changed.notify_all();
    }

    /// Lets what is held become durable bit by bit, until `done`: a state that one more commit leads
    /// to. The commit after it is held.
    #[track_caller]
    pub fn let_through_until(&self, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            let mut gate = self.gate.lock().unwrap();
            if gate.someone_waits {
                (gate.passes, gate.someone_waits) = (Some(1), false);
                self.changed.notify_all();
            }
            // What is waited for comes after the last of the commit, which nobody waits for.
            let soon = Duration::from_millis(1);
            drop(self.changed.wait_timeout(gate, soon).unwrap());
            assert!(started.elapsed() < HANG, "it does not come to that");
        }
    }

    /// What the disk holds.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// Waits until a commit is held.
    #[track_caller]
    pub fn wait_until_held(&self) {
        let gate = self.gate.lock().unwrap();
        let not_yet = |gate: &mut Gate| !gate.someone_waits;
        let held = self.changed.wait_timeout_while(gate, HANG, not_yet);
        let timed_out = held.unwrap().1.timed_out();
        assert!(!timed_out, "nothing is on its way to the disk");
    }
}

/// What keeps a disk from making anything durable, until it is dropped.
#[must_use]
pub struct Hold(Arc<WatchedDisk>);

impl Hold {
    /// Lets everything go on.
    pub fn let_go(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl Disk for WatchedDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.bytes.lock().unwrap().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.gate.lock().unwrap();
        while gate.passes == Some(0) {
            gate.someone_waits = true;
            self.changed.notify_all();
            gate = self.changed.wait(gate).unwrap();
        }
        gate.someone_waits = false;
        gate.passes = gate.passes.map(|passes| passes - 1);
        Ok(())
    }
}
