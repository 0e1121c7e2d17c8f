//! A disk in memory that fails, forgets and is damaged on order.
//!
//! It behaves like a system's page cache over a device: what was written is readable at once, and
//! survives a power cut only after a sync that succeeded. After a sync that failed the system
//! takes the pages for clean: they are still readable, and are never written again.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contact_store::Disk;

const PAGE: usize = 4_096;
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// Numbers that are the same in every run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    pub fn coin(&mut self) -> bool {
        self.number() & 1 == 1
    }
}

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The call, counted from 1, from which on they fail.
    pub at: u64,
    pub kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// That one call fails, nothing of it is done.
    Once,
    /// That one call fails; a write is half done.
    OnceInTheMiddle,
    /// That call and all after it fail.
    FromThenOn,
    /// From that call on nothing more can be written: the first write that fails is half done.
    Full,
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
}

#[derive(Default)]
struct State {
    /// What is read: the page cache.
    bytes: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// Pages written since the last sync, successful or not.
    dirty: BTreeSet<usize>,
    calls: u64,
    fault: Option<Fault>,
    failed_calls: u64,
    /// Whether changes have to wait, and whether one does.
    held: bool,
    waiting: bool,
    /// Whether the next read panics, as a defect of the storage engine would.
    panic_on_read: bool,
    /// Which sync fails, counted from now.
    failing_sync: Option<u64>,
    /// Whether calls are neither counted nor fail for now.
    aside: bool,
}

#[derive(Default)]
pub struct TestDisk {
    state: Mutex<State>,
    moved: Condvar,
}

impl fmt::Debug for TestDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestDisk")
    }
}

impl TestDisk {
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// A disk that has these bytes for good.
    pub fn with(bytes: Vec<u8>) -> Arc<Self> {
        let disk = TestDisk::default();
        let mut state = disk.lock();
        state.durable.clone_from(&bytes);
        state.bytes = bytes;
        drop(state);
        Arc::new(disk)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, calls fail like this.
    pub fn fail(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// From now on, no call fails.
    pub fn mend(&self) {
        let mut state = self.lock();
        state.fault = None;
        state.failing_sync = None;
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    pub fn failed_calls(&self) -> u64 {
        self.lock().failed_calls
    }

    /// What the system shows now.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// What is there after a power cut now, if the system wrote nothing that it was not told to.
    pub fn after_power_cut(&self) -> Vec<u8> {
        self.lock().durable.clone()
    }

    /// Changes bytes behind the back of whoever uses the disk.
    pub fn damage(&self, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        damage(&mut state.bytes);
        state.durable = state.bytes.clone();
    }

    /// Asks something that is not part of what is tested: its calls do not count and do not fail.
    pub fn aside<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.lock().aside = true;
        let answer = ask();
        self.lock().aside = false;
        answer
    }

    /// From now on, the `nth` sync fails, counted from 1.
    pub fn fail_sync(&self, nth: u64) {
        self.lock().failing_sync = Some(nth);
    }

    pub fn panic_on_next_read(&self) {
        self.lock().panic_on_read = true;
    }

    /// Lets whoever wants to change the disk wait until [`release`](TestDisk::release).
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Whether somebody waits to change the disk, by now or within `limit`.
    pub fn somebody_waits(&self, limit: Duration) -> bool {
        let state = self.lock();
        let (state, _) = self
            .moved
            .wait_timeout_while(state, limit, |state| !state.waiting)
            .unwrap();
        state.waiting
    }

    pub fn release(&self) {
        self.lock().held = false;
        self.moved.notify_all();
    }

    /// Counts a call, and says how it fails. A change waits here while changes are held.
    fn enter(&self, changes: bool) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.lock();
        if changes && state.held {
            state.waiting = true;
            self.moved.notify_all();
            state = self
                .moved
                .wait_while(state, |state| state.held)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting = false;
        }
        if state.aside {
            return (state, None);
        }
        state.calls += 1;
        let fault = state.fault.filter(|fault| match fault.kind {
            FaultKind::Once | FaultKind::OnceInTheMiddle => state.calls == fault.at,
            FaultKind::FromThenOn => state.calls >= fault.at,
            FaultKind::Full => state.calls >= fault.at && changes,
        });
        if fault.is_some() {
            state.failed_calls += 1;
        }
        (state, fault)
    }
}

fn failure(fault: Fault) -> io::Error {
    io::Error::from_raw_os_error(match fault.kind {
        FaultKind::Full => ENOSPC,
        _ => EIO,
    })
}

impl State {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.bytes, at, bytes);
        self.dirty
            .extend(at / PAGE..(at + bytes.len()).div_ceil(PAGE));
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Disk for TestDisk {
    fn len(&self) -> io::Result<u64> {
        match self.enter(false) {
            (_, Some(fault)) => Err(failure(fault)),
            (state, None) => Ok(u64::try_from(state.bytes.len()).unwrap()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut state, fault) = self.enter(false);
        if std::mem::take(&mut state.panic_on_read) {
            drop(state);
            // Unwinding without a message, which would only clutter the output.
            std::panic::resume_unwind(Box::new(()));
        }
        if let Some(fault) = fault {
            return Err(failure(fault));
        }
        let at = place(offset);
        let there = state.bytes.get(at..at + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.enter(true);
        let Some(fault) = fault else {
            state.put(place(offset), bytes);
            return Ok(());
        };
        let in_the_middle = match fault.kind {
            FaultKind::OnceInTheMiddle => true,
            FaultKind::Full => state.failed_calls == 1,
            _ => false,
        };
        if in_the_middle {
            state.put(place(offset), &bytes[..bytes.len() / 2]);
        }
        Err(failure(fault))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut state, fault) = self.enter(true);
        if let Some(fault) = fault {
            return Err(failure(fault));
        }
        // The length is not data: the system does not forget it when a sync fails.
        let len = place(len);
        state.bytes.resize(len, 0);
        state.durable.resize(len, 0);
        state.dirty.retain(|page| *page < len.div_ceil(PAGE));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, mut fault) = self.enter(true);
        let state = &mut *state;
        let dirty = std::mem::take(&mut state.dirty);
        if let Some(left) = state.failing_sync {
            state.failing_sync = left.checked_sub(1).filter(|left| *left > 0);
            if left == 1 {
                state.failed_calls += 1;
                fault = Some(Fault {
                    at: state.calls,
                    kind: FaultKind::Once,
                });
            }
        }
        if let Some(fault) = fault {
            // Every other page was written before the device failed.
            let half = dirty.into_iter().skip(1).step_by(2);
            if fault.kind == FaultKind::OnceInTheMiddle {
                half.for_each(|page| write_back(state, page));
            }
            return Err(failure(fault));
        }
        dirty.into_iter().for_each(|page| write_back(state, page));
        Ok(())
    }
}

fn write_back(state: &mut State, page: usize) {
    let span = page * PAGE..((page + 1) * PAGE).min(state.bytes.len());
    if state.durable.len() < span.end {
        state.durable.resize(span.end, 0);
    }
    state.durable[span.clone()].copy_from_slice(&state.bytes[span]);
}
