//! A disk in memory that records its calls, in order.
//!
//! It knows nothing of what is lost in a power cut, nor of what the bytes mean.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use contact_store::Disk;

use crate::support::blocks::Blocks;
use crate::support::cases::HANG;

/// What the disk was told.
#[derive(Clone)]
pub enum Event {
    Write(usize, Arc<[u8]>),
    SetLen(usize),
    Sync,
}

impl Event {
    /// Does to `bytes` what the disk was told.
    pub fn apply(&self, bytes: &mut Blocks) {
        match self {
            Event::Write(at, written) => bytes.write_within(*at, written),
            Event::SetLen(len) => bytes.set_len(*len),
            Event::Sync => {}
        }
    }
}

#[derive(Default)]
struct State {
    bytes: Blocks,
    events: Vec<Event>,
    unplugged: bool,
    /// Whether changes have to wait, and whether one does.
    held: bool,
    waiting: bool,
}

#[derive(Default)]
pub struct RecordingDisk {
    state: Mutex<State>,
    moved: Condvar,
    /// The disk that was made beside it last.
    made: Mutex<Option<Arc<RecordingDisk>>>,
    /// How often the disk was told something that it was made beside, counted by that one.
    other: Option<Arc<AtomicUsize>>,
    count: Arc<AtomicUsize>,
    /// When it took the place of the other one, and when that was durable.
    placed: Mutex<Vec<Placed>>,
}

/// Counts of events at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Of the disk that is replaced.
    pub old: usize,
    /// Of the one that takes its place.
    pub new: usize,
}

impl RecordingDisk {
    /// A disk that has these bytes.
    pub fn with(bytes: Blocks) -> Arc<Self> {
        let disk = RecordingDisk::default();
        disk.lock().bytes = bytes;
        Arc::new(disk)
    }

    // A test that fails while the disk is in use must not fail again while it cleans up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it was told something by now.
    pub fn count(&self) -> usize {
        self.lock().events.len()
    }

    pub fn events(&self) -> Vec<Event> {
        self.since(0)
    }

    /// What it was told after the first `count` events.
    pub fn since(&self, count: usize) -> Vec<Event> {
        self.lock().events[count..].to_vec()
    }

    /// What is on it now, synced or unsynced.
    pub fn bytes(&self) -> Blocks {
        self.lock().bytes.clone()
    }

    /// Refuses to be changed from now on, as if the process were dead: nothing that is done before
    /// [`plug`](RecordingDisk::plug) is kept.
    pub fn unplug(&self) {
        self.lock().unplugged = true;
    }

    pub fn plug(&self) {
        self.lock().unplugged = false;
    }

    /// Makes every change of the disk wait until what this gives is dropped, also by a test
    /// that fails: closing the store would otherwise wait for ever.
    pub fn hold(&self) -> Held<'_> {
        self.lock().held = true;
        Held(self)
    }

    /// Waits until somebody is held up.
    pub fn wait_until_held(&self) {
        let wait = self
            .moved
            .wait_timeout_while(self.lock(), HANG, |state| !state.waiting);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        assert!(state.waiting, "nobody changes the disk");
    }

    fn tell(&self, event: Event) -> io::Result<()> {
        let mut state = self.lock();
        if state.held {
            state.waiting = true;
            self.moved.notify_all();
            let wait = self.moved.wait_while(state, |state| state.held);
            state = wait.unwrap_or_else(PoisonError::into_inner);
            state.waiting = false;
        }
        if state.unplugged {
            return Err(io::ErrorKind::NotConnected.into());
        }
        event.apply(&mut state.bytes);
        state.events.push(event);
        self.count.store(state.events.len(), Ordering::SeqCst);
        Ok(())
    }

    fn note_placed(&self) -> io::Result<()> {
        let old = self
            .other
            .as_ref()
            .map_or(0, |other| other.load(Ordering::SeqCst));
        let new = self.count();
        self.placed.lock().unwrap().push(Placed { old, new });
        Ok(())
    }

    /// The disk that was made beside it last.
    pub fn made_beside(&self) -> Arc<RecordingDisk> {
        self.made.lock().unwrap().clone().expect("a disk beside it")
    }

    /// When it took the place of the other one, and when that was durable.
    pub fn placed(&self) -> Vec<Placed> {
        self.placed.lock().unwrap().clone()
    }
}

/// A disk whose changes have to wait.
pub struct Held<'d>(&'d RecordingDisk);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock().held = false;
        self.0.moved.notify_all();
    }
}

impl fmt::Debug for RecordingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingDisk")
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Disk for RecordingDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.lock().bytes.read(place(offset), out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // The images rely on it: only `set_len` makes the file longer.
        if place(offset) + bytes.len() > self.lock().bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.tell(Event::Write(place(offset), bytes.into()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.tell(Event::SetLen(place(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.tell(Event::Sync)
    }

    fn beside(&self) -> io::Result<Arc<dyn Disk>> {
        let made = Arc::new(RecordingDisk {
            other: Some(Arc::clone(&self.count)),
            ..RecordingDisk::default()
        });
        *self.made.lock().unwrap() = Some(made.clone());
        Ok(made)
    }

    fn take_place(&self) -> io::Result<()> {
        self.note_placed()
    }

    fn sync_place(&self) -> io::Result<()> {
        self.note_placed()
    }
}
