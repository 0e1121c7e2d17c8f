//! A storage that is a list of numbers, on a disk that fails when a test says so.
//!
//! It keeps what the writer is promised of the real one: a draft is laid over a snapshot and can be
//! rolled back, a commit is durable or not, and whether a failed one is, only reopening tells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, OpenError, StorageError};
use crate::model::change::ChangePosition;
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::stats::{MemoryUse, StateCounts};
use crate::sync::{Arc, Condvar, Mutex};

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It fails, and was not durable.
    Lost,
    /// It fails, and was durable.
    Kept,
    /// It panics: a defect of the writer's own thread.
    Panics,
}

/// The disk.
#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<OnDisk>,
    moved: Condvar,
}

#[derive(Default)]
struct OnDisk {
    /// What is durable: the number of a state is how many there are.
    numbers: Vec<u64>,
    /// What has to be swept still.
    leaving: usize,
    commits: u64,
    /// Outcomes of commits, by their number counted from 1. All others succeed.
    fates: VecDeque<(u64, Fate)>,
    /// How often opening fails.
    opens_that_fail: u32,
    shut: bool,
    held: bool,
    closed: bool,
}

impl Disk {
    pub(crate) fn new(leaving: usize, fates: &[(u64, Fate)], opens_that_fail: u32) -> Arc<Self> {
        Arc::new(Disk {
            state: Mutex::new(OnDisk {
                leaving,
                fates: fates.iter().copied().collect(),
                opens_that_fail,
                ..OnDisk::default()
            }),
            moved: Condvar::new(),
        })
    }

    /// The durable numbers, in the order in which they became it.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.state.lock().unwrap().numbers.clone()
    }

    pub(crate) fn commits(&self) -> u64 {
        self.state.lock().unwrap().commits
    }

    pub(crate) fn leaving(&self) -> usize {
        self.state.lock().unwrap().leaving
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().unwrap().closed
    }

    /// Holds up the next commit, until the disk is opened.
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.moved.notify_all();
    }

    /// Waits until a commit is held up.
    pub(crate) fn wait_until_held(&self) {
        let state = self.state.lock().unwrap();
        drop(self.moved.wait_while(state, |state| !state.held).unwrap());
    }

    fn commit(&self, added: &[u64], leaving: usize) -> Result<(), StorageError> {
        let mut state = self.state.lock().unwrap();
        if state.shut {
            state.held = true;
            self.moved.notify_all();
            state = self.moved.wait_while(state, |state| state.shut).unwrap();
            state.held = false;
        }
        state.commits += 1;
        let commit = state.commits;
        let fate = state.fates.front().filter(|(at, _)| *at == commit).copied();
        let fate = fate.map(|(_, fate)| fate);
        if fate.is_some() {
            state.fates.pop_front();
        }
        if fate.is_none() || fate == Some(Fate::Kept) {
            state.numbers.extend(added);
            state.leaving = leaving;
        }
        drop(state);
        match fate {
            None => Ok(()),
            Some(Fate::Lost | Fate::Kept) => Err(StorageError::Stopped),
            // Unwinding without a message, which would only clutter the output of the tests.
            Some(Fate::Panics) => std::panic::resume_unwind(Box::new(())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sequence: SequenceNumber,
}

pub(crate) trait Rows {
    fn state(&self) -> State;
}

/// The numbers at one state.
pub(crate) struct Committed {
    numbers: Vec<u64>,
    state: State,
    directory: Directory,
    broken: Arc<AtomicBool>,
}

/// What has to be swept.
#[derive(Clone, Copy)]
pub(crate) struct Directory(usize);

/// How much of it is left.
#[derive(Clone, Copy)]
pub(crate) struct Leaving(pub(crate) usize);

impl Directory {
    pub(crate) fn leaving(&self) -> Option<Leaving> {
        (self.0 > 0).then_some(Leaving(self.0))
    }
}

impl Committed {
    fn new(numbers: Vec<u64>, leaving: usize, broken: &Arc<AtomicBool>) -> Self {
        let sequence = SequenceNumber::new(numbers.len() as u64);
        Committed {
            numbers,
            state: State { sequence },
            directory: Directory(leaving),
            broken: Arc::clone(broken),
        }
    }

    pub(crate) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    pub(crate) fn counts(&self) -> StateCounts {
        StateCounts {
            sequence: self.state.sequence,
            contacts: self.numbers.len() as u64,
            subscribers: 0,
            muted: 0,
            suppressed: 0,
            blocked: 0,
            conflicts: 0,
            apps: 0,
            changes: None,
            answers: None,
            merged: 0,
        }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn memory(&self) -> MemoryUse {
        MemoryUse::default()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    pub(crate) fn is_remote(&self) -> bool {
        false
    }

    pub(crate) fn for_reader(self: Arc<Self>) -> Result<Arc<Self>, Error> {
        Ok(self)
    }

    /// Each number is a change.
    pub(crate) fn has_changes_after(&self, after: ChangePosition) -> Result<bool, Error> {
        let after = after.sequence().value();
        Ok(after < self.state.sequence.value())
    }
}

impl Rows for Committed {
    fn state(&self) -> State {
        self.state
    }
}

/// Numbers to be added to those of a committed.
pub(crate) struct Draft<'s> {
    base: &'s Committed,
    added: Vec<u64>,
    leaving: usize,
    pub(crate) conflicts_not_kept: u64,
    pub(crate) state: State,
}

#[derive(Clone, Copy)]
pub(crate) struct Mark {
    added: usize,
    leaving: usize,
    state: State,
}

impl<'s> Draft<'s> {
    pub(crate) fn new(base: &'s Committed, _entries: usize) -> Self {
        Draft {
            base,
            added: Vec::new(),
            leaving: base.directory.0,
            conflicts_not_kept: 0,
            state: base.state,
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            added: self.added.len(),
            leaving: self.leaving,
            state: self.state,
        }
    }

    pub(crate) fn changed_since(&self, mark: Mark) -> bool {
        self.added.len() > mark.added || self.state != mark.state
    }

    pub(crate) fn roll_back_to(&mut self, mark: Mark) {
        self.added.truncate(mark.added);
        self.leaving = mark.leaving;
        self.state = mark.state;
    }

    pub(crate) fn end_request(&mut self, _at: Option<Timestamp>) -> Result<(), Failure> {
        self.state.sequence = self.state.sequence.next();
        Ok(())
    }

    pub(crate) fn leaving(&self) -> Option<Leaving> {
        self.base.directory.leaving()
    }

    pub(crate) fn trim(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn changed_rows(&self) -> usize {
        self.added.len()
    }

    pub(crate) fn add(&mut self, number: u64) {
        self.added.push(number);
    }

    /// How many numbers there are, those of the draft included.
    pub(crate) fn count(&self) -> u64 {
        (self.base.numbers.len() + self.added.len()) as u64
    }

    pub(crate) fn sweep_to(&mut self, leaving: usize) {
        self.leaving = leaving;
    }
}

/// Nothing fails below but what the disk says.
#[derive(Debug)]
pub(crate) struct Failure;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        StorageError::from(failure).into()
    }
}

impl From<Failure> for StorageError {
    fn from(Failure: Failure) -> Self {
        StorageError::Stopped
    }
}

/// The places of the numbers that a commit added.
pub(crate) struct Changes(Range<usize>);

#[derive(Default)]
pub(crate) struct ChangedKeys(BTreeSet<usize>);

impl ChangedKeys {
    pub(crate) fn add(&mut self, changes: &Changes) {
        self.0.extend(changes.0.clone());
    }
}

pub(crate) trait Source {
    fn state(&self) -> Result<Arc<Committed>, Error>;
    fn changed(&self) -> Result<ChangedKeys, Error>;
}

/// The numbers of a copy, by their places.
pub(crate) struct Successor(BTreeMap<usize, u64>);

impl Successor {
    /// Copies as the real one does: the changes are asked for before the state that has them.
    pub(crate) fn copy(from: &impl Source, rounds: usize) -> Result<Self, Error> {
        let numbers = from.state()?.numbers.clone();
        let mut copy = Successor(numbers.into_iter().enumerate().collect());
        for _ in 0..rounds {
            let changed = from.changed()?;
            copy.copy_changed(&*from.state()?, &changed);
        }
        Ok(copy)
    }

    /// A row that the state does not have is removed.
    fn copy_changed(&mut self, from: &Committed, changed: &ChangedKeys) {
        for place in &changed.0 {
            match from.numbers.get(*place) {
                Some(number) => drop(self.0.insert(*place, *number)),
                None => drop(self.0.remove(place)),
            }
        }
    }
}

pub(crate) struct NotCopied(Error);

impl From<NotCopied> for Error {
    fn from(NotCopied(error): NotCopied) -> Self {
        error
    }
}

pub(crate) struct Replaced {
    pub(crate) committed: Committed,
    pub(crate) bytes: u64,
    pub(crate) named: Result<(), StorageError>,
}

#[derive(Clone)]
pub(crate) struct StoreFile;

pub(crate) enum CommitFailure {
    Indeterminate(StorageError),
    #[expect(dead_code, reason = "a disk tells nothing of the kind")]
    NotWritten(StorageError),
}

impl CommitFailure {
    pub(crate) fn cause(&self) -> &StorageError {
        match self {
            CommitFailure::Indeterminate(cause) | CommitFailure::NotWritten(cause) => cause,
        }
    }
}

/// It is in no database.
pub(crate) struct Connections;

impl Connections {
    pub(crate) fn are_there(&self) -> bool {
        false
    }
}

pub(crate) struct Found {
    pub(crate) committed: Committed,
    pub(crate) found: SequenceNumber,
}

/// The open file.
pub(crate) struct Engine {
    disk: Arc<Disk>,
    broken: Arc<AtomicBool>,
    /// Parts of the indexes that are not in memory yet.
    to_fill: usize,
    /// Whether the group that is being decided was decided before.
    decided: bool,
}

impl Engine {
    pub(crate) fn open(disk: &Arc<Disk>) -> (Self, Committed) {
        let engine = Engine {
            disk: Arc::clone(disk),
            broken: Arc::default(),
            to_fill: 2,
            decided: false,
        };
        let committed = engine.committed();
        (engine, committed)
    }

    fn committed(&self) -> Committed {
        let state = self.disk.state.lock().unwrap();
        Committed::new(state.numbers.clone(), state.leaving, &self.broken)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// It is in no file.
    pub(crate) fn is_moved(&self) -> bool {
        false
    }

    pub(crate) fn is_read_only(&self) -> bool {
        false
    }

    pub(crate) fn has_to_fill_indexes(&self) -> bool {
        self.to_fill > 0
    }

    /// As of a database: each group is decided on a state without numbers first.
    pub(crate) fn base(&mut self, current: &Arc<Committed>) -> Arc<Committed> {
        self.decided = false;
        Arc::new(Committed::new(
            Vec::new(),
            current.directory.0,
            &self.broken,
        ))
    }

    pub(crate) fn look(
        &mut self,
        _: &Committed,
        _: Box<dyn Fn() + Send + Sync>,
    ) -> Option<Committed> {
        None
    }

    pub(crate) fn decides_again(&self) -> bool {
        true
    }

    pub(crate) fn look_up(
        &mut self,
        _: &Committed,
    ) -> Result<Option<Arc<Committed>>, StorageError> {
        if self.decided {
            return Ok(None);
        }
        self.decided = true;
        Ok(Some(Arc::new(self.committed())))
    }

    pub(crate) fn not_drafted(&mut self, cause: StorageError) -> CommitFailure {
        CommitFailure::Indeterminate(cause)
    }

    pub(crate) fn ask_to_fold_indexes(&mut self) {}

    pub(crate) fn has_to_fold_indexes(&self) -> bool {
        false
    }

    pub(crate) fn fill_indexes(&mut self, now: &Committed) -> Result<Committed, StorageError> {
        self.to_fill -= 1;
        let committed = self.committed();
        assert_eq!(committed.state, now.state, "filled from another state");
        Ok(committed)
    }

    pub(crate) fn commit(
        &mut self,
        draft: Draft<'_>,
        before: &Committed,
    ) -> Result<Option<(Committed, Changes)>, CommitFailure> {
        assert_eq!(draft.base.state, before.state, "decided on another state");
        assert_eq!(draft.state.sequence.value(), draft.count());
        if draft.added.is_empty() && draft.leaving == before.directory.0 {
            return Ok(None);
        }
        let committed = self.disk.commit(&draft.added, draft.leaving);
        committed.map_err(|cause| {
            self.broken.store(true, Ordering::SeqCst);
            CommitFailure::Indeterminate(cause)
        })?;
        let first = before.numbers.len();
        let changes = Changes(first..first + draft.added.len());
        Ok(Some((self.committed(), changes)))
    }

    pub(crate) fn file(&self) -> StoreFile {
        StoreFile
    }

    pub(crate) fn connections(&self) -> Connections {
        Connections
    }

    /// What the successor has is what is on the disk from now on.
    pub(crate) fn replace(
        &mut self,
        mut successor: Successor,
        now: &Committed,
        changed: &ChangedKeys,
    ) -> Result<Replaced, NotCopied> {
        if self.is_broken() {
            return Err(NotCopied(Error::NeedsReopen));
        }
        successor.copy_changed(now, changed);
        let mut state = self.disk.state.lock().unwrap();
        state.numbers = successor.0.into_values().collect();
        drop(state);
        Ok(Replaced {
            committed: self.committed(),
            bytes: 0,
            named: Ok(()),
        })
    }

    pub(crate) fn reopen(&mut self) -> Result<Found, OpenError> {
        let mut state = self.disk.state.lock().unwrap();
        if state.opens_that_fail > 0 {
            state.opens_that_fail -= 1;
            return Err(OpenError::Damaged("as the test says"));
        }
        drop(state);
        self.broken = Arc::default();
        let committed = self.committed();
        let found = committed.state.sequence;
        Ok(Found { committed, found })
    }

    pub(crate) fn close(self) -> Result<(), StorageError> {
        let mut state = self.disk.state.lock().unwrap();
        assert!(!state.closed, "closed twice");
        state.closed = true;
        if self.is_broken() {
            return Err(StorageError::Stopped);
        }
        Ok(())
    }
}
