//! A disk in memory that fails, forgets and is damaged on order.
//!
//! It behaves like a system's page cache over a device: what was written is readable immediately, and
//! survives a power cut only after a sync that succeeded. After a sync that failed the system
//! takes the pages for clean: they are still readable, and are never written again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contact_store::Disk;

use crate::support::blocks::{BLOCK, Blocks};
use crate::support::random::Random;

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Len,
    Read,
    Write,
    SetLen,
    Sync,
}

impl Call {
    fn changes(self) -> bool {
        !matches!(self, Call::Len | Call::Read)
    }
}

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The call, counted from 1, from which on they fail.
    pub at: u64,
    pub kind: FaultKind,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// That one call fails, nothing of it is done.
    Once,
    /// That one call fails; a write is half done.
    OnceInTheMiddle,
    /// That one call finds no space; a write is half done. There is space again for the next.
    FullOnce,
    /// That call and all after it fail.
    FromThenOn,
    /// From that call on nothing more can be written: the first write that fails is half done.
    Full,
}

/// What of the pages reached the device before a sync failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenBack {
    Nothing,
    EveryOther,
    Header,
    AllButHeader,
    Everything,
    /// This seed says which pages are there.
    Some(u64),
}

impl WrittenBack {
    fn takes(self, dirty: &BTreeSet<usize>) -> Vec<usize> {
        let pages = dirty.iter().copied();
        match self {
            WrittenBack::Nothing => Vec::new(),
            WrittenBack::EveryOther => pages.skip(1).step_by(2).collect(),
            WrittenBack::Header => pages.filter(|page| *page == 0).collect(),
            WrittenBack::AllButHeader => pages.filter(|page| *page != 0).collect(),
            WrittenBack::Everything => pages.collect(),
            WrittenBack::Some(seed) => {
                let mut random = Random(seed);
                pages.filter(|_| random.coin()).collect()
            }
        }
    }
}

#[derive(Default)]
struct State {
    /// What is read: the page cache.
    bytes: Blocks,
    /// What a power cut leaves.
    durable: Blocks,
    /// Pages written since the last sync, even a failed one.
    dirty: BTreeSet<usize>,
    calls: u64,
    calls_of: BTreeMap<Call, u64>,
    failing: Option<Failing>,
    failed_calls: u64,
    /// Whether changes have to wait, and whether one does.
    held: bool,
    waiting: bool,
    /// The sync from which on changes have to wait, counted from now.
    hold_at_sync: Option<u64>,
    /// Whether the next read panics, as a defect of the storage engine would.
    panic_on_read: bool,
    /// Which sync fails, counted from now, and what of the pages is written.
    failing_sync: Option<(u64, WrittenBack)>,
    /// Whether pages that a failed sync did not write are read from the device again.
    evicts: bool,
    /// Whether a change that fails is said to have been made.
    silent: bool,
    /// Whether calls are neither counted nor fail for now.
    aside: bool,
}

/// A fault that waits for its call.
struct Failing {
    fault: Fault,
    /// The calls that are counted and fail; all kinds when `None`.
    of: Option<Call>,
    /// How many of them there were.
    calls: u64,
    /// Whether its call was there.
    begun: bool,
}

impl Failing {
    /// Counts a call, and says whether it fails.
    fn meets(&mut self, call: Call) -> bool {
        let counted = self.of.is_none_or(|of| of == call);
        self.calls += u64::from(counted);
        let is_the_one = counted && self.calls == self.fault.at;
        self.begun |= counted && self.calls >= self.fault.at;
        match self.fault.kind {
            FaultKind::Once | FaultKind::OnceInTheMiddle | FaultKind::FullOnce => is_the_one,
            FaultKind::FromThenOn => self.begun && counted,
            FaultKind::Full => self.begun && call.changes(),
        }
    }
}

#[derive(Default)]
pub struct TestDisk {
    state: Mutex<State>,
    moved: Condvar,
    /// How the next disk that is made beside it fails.
    beside: Mutex<Beside>,
    /// The disk that was made beside it last.
    made: Mutex<Option<Arc<TestDisk>>>,
    /// How it fails itself to take the place of another.
    placing: Mutex<Beside>,
}

/// How a disk fails that is made beside another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    pub fault: Option<(Option<Call>, Fault)>,
    pub fails_to_take_place: bool,
    /// So often it fails to make its place durable.
    pub failing_place_syncs: u32,
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
    pub fn with(bytes: impl Into<Blocks>) -> Arc<Self> {
        let disk = TestDisk::default();
        let mut state = disk.lock();
        state.bytes = bytes.into();
        state.durable = state.bytes.clone();
        drop(state);
        Arc::new(disk)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, calls fail like this. All calls count, from the first of the disk on.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        state.failing = Some(Failing {
            fault,
            of: None,
            calls: state.calls,
            begun: false,
        });
    }

    /// From now on, calls of one kind fail like this. Only they count, from now on.
    pub fn fail_calls(&self, of: Call, fault: Fault) {
        self.lock().failing = Some(Failing {
            fault,
            of: Some(of),
            calls: 0,
            begun: false,
        });
    }

    /// The next disk that is made beside it fails like this.
    pub fn fail_beside(&self, beside: Beside) {
        *self.beside.lock().unwrap() = beside;
    }

    /// The disk that was made beside it last.
    pub fn made_beside(&self) -> Option<Arc<TestDisk>> {
        self.made.lock().unwrap().clone()
    }

    /// From now on, no call fails.
    pub fn mend(&self) {
        let mut state = self.lock();
        state.failing = None;
        state.failing_sync = None;
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// How many calls there were of one kind.
    pub fn calls_of(&self, call: Call) -> u64 {
        self.lock().calls_of.get(&call).copied().unwrap_or_default()
    }

    pub fn failed_calls(&self) -> u64 {
        self.lock().failed_calls
    }

    /// What the system shows now.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown().to_vec()
    }

    /// The same, sharing what is not changed later.
    pub fn shown(&self) -> Blocks {
        self.lock().bytes.clone()
    }

    /// What is there after a power cut now, if the system wrote nothing that it was not told to.
    pub fn after_power_cut(&self) -> Vec<u8> {
        self.durable().to_vec()
    }

    /// The same, sharing what is not changed later.
    pub fn durable(&self) -> Blocks {
        self.lock().durable.clone()
    }

    /// Changes bytes without the user of the disk noticing.
    pub fn damage(&self, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let mut bytes = state.bytes.to_vec();
        damage(&mut bytes);
        state.bytes = bytes.into();
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
        self.fail_sync_after(nth, WrittenBack::Nothing);
    }

    /// The same, after some of the pages were written.
    pub fn fail_sync_after(&self, nth: u64, written: WrittenBack) {
        self.lock().failing_sync = Some((nth, written));
    }

    pub fn panic_on_next_read(&self) {
        self.lock().panic_on_read = true;
    }

    /// After a sync that fails, the system does not keep the pages: what was not written is gone at
    /// once.
    pub fn evict_after_failed_sync(&self) {
        self.lock().evicts = true;
    }

    /// From now on, a change that fails is said to have been made.
    pub fn say_nothing(&self) {
        self.lock().silent = true;
    }

    /// Makes every change of the disk wait until [`release`](TestDisk::release).
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// The same from the `nth` sync on, counted from 1.
    pub fn hold_at_sync(&self, nth: u64) {
        self.lock().hold_at_sync = Some(nth);
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
    fn enter(&self, call: Call) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.lock();
        if let Some(left) = state.hold_at_sync.filter(|_| call == Call::Sync) {
            state.hold_at_sync = (left > 1).then(|| left - 1);
            state.held |= left == 1;
        }
        if call.changes() && state.held {
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
        *state.calls_of.entry(call).or_default() += 1;
        let failing = state.failing.as_mut();
        let fault = failing.and_then(|failing| failing.meets(call).then_some(failing.fault));
        if fault.is_some() {
            state.failed_calls += 1;
        }
        (state, fault)
    }
}

fn failure(fault: Fault) -> io::Error {
    io::Error::from_raw_os_error(match fault.kind {
        FaultKind::FullOnce | FaultKind::Full => ENOSPC,
        _ => EIO,
    })
}

impl State {
    /// What is said of a change that fails.
    fn says(&self, fault: Fault) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        Err(failure(fault))
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.set_len(end);
        }
        self.bytes.write(at, bytes).unwrap();
        self.dirty.extend(at / BLOCK..end.div_ceil(BLOCK));
    }

    fn write_back(&mut self, page: usize) {
        if self.durable.len() < self.bytes.len() {
            self.durable.set_len(self.bytes.len());
        }
        self.durable.take_block(page, &self.bytes);
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Disk for TestDisk {
    fn len(&self) -> io::Result<u64> {
        match self.enter(Call::Len) {
            (_, Some(fault)) => Err(failure(fault)),
            (state, None) => Ok(u64::try_from(state.bytes.len()).unwrap()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Read);
        if std::mem::take(&mut state.panic_on_read) {
            drop(state);
            // Unwinding without a message, which would only clutter the output.
            std::panic::resume_unwind(Box::new(()));
        }
        if let Some(fault) = fault {
            return Err(failure(fault));
        }
        state.bytes.read(place(offset), out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Write);
        let Some(fault) = fault else {
            state.put(place(offset), bytes);
            return Ok(());
        };
        let in_the_middle = match fault.kind {
            FaultKind::OnceInTheMiddle | FaultKind::FullOnce => true,
            FaultKind::Full => state.failed_calls == 1,
            FaultKind::Once | FaultKind::FromThenOn => false,
        };
        if in_the_middle {
            state.put(place(offset), &bytes[..bytes.len() / 2]);
        }
        state.says(fault)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::SetLen);
        if let Some(fault) = fault {
            return state.says(fault);
        }
        // The length is not data: the system does not forget it when a sync fails.
        let len = place(len);
        state.bytes.set_len(len);
        state.durable.set_len(len);
        state.dirty.retain(|page| *page < len.div_ceil(BLOCK));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Sync);
        let state = &mut *state;
        let dirty = std::mem::take(&mut state.dirty);
        let mut failed = fault.map(|fault| match fault.kind {
            FaultKind::OnceInTheMiddle => (fault, WrittenBack::EveryOther),
            _ => (fault, WrittenBack::Nothing),
        });
        if let Some((left, written)) = state.failing_sync {
            state.failing_sync = (left > 1).then(|| (left - 1, written));
            if left == 1 {
                state.failed_calls += 1;
                let fault = Fault {
                    at: state.calls,
                    kind: FaultKind::Once,
                };
                failed = Some((fault, written));
            }
        }
        if let Some((fault, written)) = failed {
            for page in written.takes(&dirty) {
                state.write_back(page);
            }
            for page in dirty.into_iter().filter(|_| state.evicts) {
                state.bytes.take_block(page, &state.durable);
            }
            return state.says(fault);
        }
        dirty.into_iter().for_each(|page| state.write_back(page));
        Ok(())
    }

    fn beside(&self) -> io::Result<Arc<dyn Disk>> {
        let placing = *self.beside.lock().unwrap();
        let made = TestDisk::empty();
        match placing.fault {
            Some((Some(of), fault)) => made.fail_calls(of, fault),
            Some((None, fault)) => made.fail(fault),
            None => {}
        }
        *made.placing.lock().unwrap() = placing;
        *self.made.lock().unwrap() = Some(made.clone());
        Ok(made)
    }

    fn take_place(&self) -> io::Result<()> {
        if self.placing.lock().unwrap().fails_to_take_place {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    fn sync_place(&self) -> io::Result<()> {
        let mut placing = self.placing.lock().unwrap();
        if placing.failing_place_syncs > 0 {
            placing.failing_place_syncs -= 1;
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}
