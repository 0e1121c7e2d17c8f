//! Group commit: one thread decides the waiting requests, commits them together, and answers.
//!
//! It knows the promises R46 to R49 and none of the rules: what a request does is up to the request.

mod following;
mod job;
mod pending;
mod queue;
mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{CopyError, Error, OpenError, StorageError};
use crate::limits::Limits;
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::operations::connect_app;
use crate::operations::once::Once;
use crate::operations::operation::Operation;
use crate::options::WhenFull;
use crate::stats::{MemoryUse, RunningStats};
use crate::storage::{
    Changes, CommitFailure, Committed, Connections, Draft, Engine, Failure, Found, Replaced,
    Rows as _, StoreFile,
};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Instant, Mutex, MutexGuard, PoisonError, RwLock, oneshot};
use crate::trace;

pub use self::pending::Pending;
pub use self::waiting::WaitForChanges;

use self::following::{Followed, Replacement};
use self::job::{Job, Progress, Write};
use self::queue::{Load, Next, Queue, Task};
use self::waiting::Waiters;

/// What readers get.
enum Phase {
    Open(Arc<Committed>),
    /// A commit failed. Readers keep the last durable state, until reopening is tried.
    Failed(Option<Arc<Committed>>),
    Closed,
}

/// What the writer's thread and the handles share.
struct Shared {
    queue: Arc<Queue>,
    phase: RwLock<Phase>,
    file: RwLock<StoreFile>,
    connections: Connections,
    followed: Followed,
    waiters: Waiters,
    stats: Mutex<RunningStats>,
    closed_with: Mutex<Result<(), StorageError>>,
}

impl Shared {
    // A panic while the lock is held cannot leave a half-made change: each is a count.
    fn stats(&self) -> MutexGuard<'_, RunningStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_phase(&self, phase: Phase) {
        let mut current = self.phase.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, phase);
        drop(current);
        // An old snapshot is dropped without the lock, for which readers wait.
        drop(before);
        self.wake_waiters();
    }

    /// The last durable state, unless the store needs reopening.
    fn open_state(&self) -> Result<Arc<Committed>, Error> {
        let phase = self.phase.read();
        match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) if !committed.is_broken() => Ok(Arc::clone(committed)),
            Phase::Open(_) | Phase::Failed(_) => Err(Error::NeedsReopen),
            Phase::Closed => Err(Error::Closed),
        }
    }
}

/// The handles' end of the writer. Dropping the last handle closes the store.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer's thread on an open file.
    pub(crate) fn start(
        engine: Engine,
        committed: Committed,
        limits: &Limits,
    ) -> Result<Self, OpenError> {
        let committed = Arc::new(committed);
        let shared = Arc::new(Shared {
            queue: Arc::new(Queue::new(limits)),
            phase: RwLock::new(Phase::Open(Arc::clone(&committed))),
            file: RwLock::new(engine.file()),
            connections: engine.connections(),
            followed: Followed::default(),
            waiters: Waiters::default(),
            stats: Mutex::new(RunningStats::new(committed.counts())),
            closed_with: Mutex::new(Ok(())),
        });
        let writing = Writing {
            shared: Arc::clone(&shared),
            engine,
            current: committed,
            carried: Vec::new(),
            failed: false,
            moved: false,
            found: None,
            sweep_stopped: false,
            fill_stopped: false,
            wait_for_folding: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("contact-store-writer".to_owned())
            .spawn(move || writing.run())
            .map_err(|error| OpenError::Thread(Arc::new(error)))?;
        Ok(Writer {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a write. `at` is when it was made, for the change feed; `once` is its idempotency key.
    pub(crate) fn submit<O: Operation>(
        &self,
        operation: O,
        when_full: WhenFull,
        at: Option<Timestamp>,
        once: Option<Once<O>>,
    ) -> Pending<O::Outcome> {
        let (reply, answer) = oneshot::channel();
        let queue = &self.shared.queue;
        match queue.submit(Box::new(Write::new(operation, at, once, reply)), when_full) {
            Ok(ticket) => Pending::new(answer, ticket.map(|ticket| (Arc::clone(queue), ticket))),
            Err(error) => self.refuse::<O>(error),
        }
    }

    /// Refuses a write that does not come into the queue.
    pub(crate) fn refuse<O: Operation>(&self, error: Error) -> Pending<O::Outcome> {
        self.shared.stats().refused(O::KIND);
        Pending::refused(error)
    }

    /// How much waits in the queue.
    pub(crate) fn load(&self) -> Load {
        self.shared.queue.load()
    }

    /// The stats as they stand, whether the store takes no writes until it is reopened, and what it
    /// keeps in memory.
    pub(crate) fn stats(&self) -> Result<(RunningStats, bool, MemoryUse), Error> {
        let needs_reopen = self.needs_reopen()?;
        let memory = self.memory_use();
        // A copy, so that the writer does not wait while it is read.
        Ok((self.shared.stats().clone(), needs_reopen, memory))
    }

    fn memory_use(&self) -> MemoryUse {
        let phase = self.shared.phase.read();
        let committed = match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) => Some(Arc::clone(committed)),
            Phase::Failed(committed) => committed.clone(),
            Phase::Closed => None,
        };
        committed.map_or_else(MemoryUse::default, |committed| committed.memory())
    }

    /// Whether the store takes no writes until it is reopened.
    pub(crate) fn needs_reopen(&self) -> Result<bool, Error> {
        let phase = self.shared.phase.read();
        match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) => Ok(committed.is_broken()),
            Phase::Failed(_) => Ok(true),
            Phase::Closed => Err(Error::Closed),
        }
    }

    /// The file as it is now.
    pub(crate) fn file(&self) -> StoreFile {
        let file = self.shared.file.read();
        file.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connections to the database of the store.
    pub(crate) fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    /// The last durable state.
    pub(crate) fn committed(&self) -> Result<Arc<Committed>, Error> {
        let phase = self.shared.phase.read();
        let committed = match &*phase.unwrap_or_else(PoisonError::into_inner) {
            Phase::Open(committed) | Phase::Failed(Some(committed)) => Arc::clone(committed),
            Phase::Failed(None) => return Err(Error::NeedsReopen),
            Phase::Closed => return Err(Error::Closed),
        };
        let read = committed.for_reader()?;
        if self.shared.connections.are_there() {
            // Other hosts write, too.
            self.shared.stats().note(read.counts());
        }
        Ok(read)
    }

    /// Folds the indexes, so that they have no entry that was removed before. Others write meanwhile.
    pub(crate) fn fold_indexes(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.ask(Task::Fold(reply))?;
        pending::wait_for(answer)
    }

    /// Reopens the file after a failed commit.
    pub(crate) fn reopen(&self) -> Result<SequenceNumber, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.ask(Task::Reopen(reply))?;
        pending::wait_for(answer)
    }

    /// Answers everyone and closes the file. The first who closes hears how it went.
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.shared.queue.close();
        // Held while joining, so that no caller returns before the file is closed.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A waker may run a whole task on the writer's own thread, which cannot wait for
            // itself: it closes when that task returns. The thread catches its own panics.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
        drop(thread);
        let mut closed_with = self
            .shared
            .closed_with
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *closed_with, Ok(())).map_err(Error::CloseIncomplete)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to hear of errors calls `close`.
        drop(self.close());
    }
}

/// A job, how far it came, and the number of the state that it was decided on or leads to.
type Decided = (Box<dyn Job>, Progress, SequenceNumber);

/// A job and its answer.
type Answered = (Box<dyn Job>, Result<SequenceNumber, Error>);

/// The writer's thread.
struct Writing {
    shared: Arc<Shared>,
    engine: Engine,
    /// The last durable state.
    current: Arc<Committed>,
    /// Jobs that go on in the next commit.
    carried: Vec<Box<dyn Job>>,
    /// A commit failed, and the file was not reopened since.
    failed: bool,
    /// The file is no longer at its path (R69).
    moved: bool,
    /// What reopening found last, if the file was ever reopened.
    found: Option<SequenceNumber>,
    /// Sweeping failed: not tried again before the file is reopened.
    sweep_stopped: bool,
    /// The same of taking the indexes into memory.
    fill_stopped: bool,
    wait_for_folding: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Writing {
    fn run(mut self) {
        let finished = catch_unwind(AssertUnwindSafe(|| self.serve()));
        self.shared.queue.abandon();
        for job in self.carried.drain(..) {
            job.answer(Err(Error::Closed));
        }
        self.shared.set_phase(Phase::Closed);
        let closed = match self.engine.close() {
            Ok(()) if finished.is_err() => Err(StorageError::Panicked),
            closed => closed,
        };
        *self
            .shared
            .closed_with
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = closed;
    }

    fn serve(&mut self) {
        loop {
            let idle = self.carried.is_empty()
                && !self.has_to_sweep()
                && !self.has_to_fill()
                && !self.has_to_fold();
            match self.shared.queue.next(idle) {
                Next::Jobs(jobs) => self.serve_group(jobs),
                Next::Task(Task::Reopen(reply)) => drop(reply.send(self.reopen())),
                Next::Task(Task::Fold(reply)) => {
                    self.engine.ask_to_fold_indexes();
                    self.wait_for_folding.push(reply);
                }
                Next::Task(Task::Replace(replacement)) => self.replace(*replacement),
                Next::Task(Task::Look) => self.look(),
                Next::End => return,
            }
            self.fill();
            self.answer_folding();
        }
    }

    /// Publishes where a store that others write to stands, and has this done again once they wrote.
    fn look(&mut self) {
        if !self.failed && self.shared.waiters.are_there() {
            let queue = Arc::downgrade(&self.shared.queue);
            let again = move || {
                if let Some(queue) = queue.upgrade() {
                    // A store that is closed has nobody who waits.
                    drop(queue.ask(Task::Look));
                }
            };
            if let Some(committed) = self.engine.look(&self.current, Box::new(again)) {
                self.current = Arc::new(committed);
                self.shared
                    .set_phase(Phase::Open(Arc::clone(&self.current)));
            }
        }
        self.shared.waiters.note_look();
        self.shared.wake_waiters();
    }

    fn has_to_fold(&self) -> bool {
        !self.failed && !self.moved && self.engine.has_to_fold_indexes()
    }

    /// Answers those who wait for the indexes to be folded, once they are or cannot be.
    fn answer_folding(&mut self) {
        if self.has_to_fold() {
            return;
        }
        for reply in self.wait_for_folding.drain(..) {
            let answer = match (self.failed, self.moved) {
                (true, _) => Err(Error::NeedsReopen),
                (_, true) => Err(Error::FileMoved),
                _ => Ok(()),
            };
            // Who asked may have stopped waiting.
            drop(reply.send(answer));
        }
    }

    fn has_to_fill(&self) -> bool {
        !self.failed && !self.fill_stopped && self.engine.has_to_fill_indexes()
    }

    /// Takes a part of the persisted indexes into memory, so that look-ups need not read them.
    fn fill(&mut self) {
        if !self.has_to_fill() {
            return;
        }
        match self.engine.fill_indexes(&self.current) {
            Ok(committed) => {
                self.current = Arc::new(committed);
                self.shared
                    .set_phase(Phase::Open(Arc::clone(&self.current)));
            }
            // No caller waits for it. Look-ups go on reading what is damaged, and report it.
            Err(_) => self.fill_stopped = true,
        }
    }

    fn has_to_sweep(&self) -> bool {
        !self.failed
            && !self.moved
            && !self.sweep_stopped
            && !self.engine.is_read_only()
            && self.current.directory().leaving().is_some()
    }

    /// Puts a copy in the place of the file.
    fn replace(&mut self, replacement: Replacement) {
        let Replacement {
            successor,
            follower,
            reply,
        } = replacement;
        let changed = self.shared.followed.take(follower);
        let changed = changed.ok_or(Error::NeedsReopen);
        let replaced = changed.and_then(|changed| {
            let replaced = self.engine.replace(successor, &self.current, &changed);
            Ok(replaced?)
        });
        let replaced = replaced.and_then(|replaced| {
            let Replaced {
                committed,
                bytes,
                named,
            } = replaced;
            self.current = Arc::new(committed);
            let file = self.shared.file.write();
            *file.unwrap_or_else(PoisonError::into_inner) = self.engine.file();
            self.shared
                .set_phase(Phase::Open(Arc::clone(&self.current)));
            named.map(|()| bytes).map_err(|cause| {
                self.fail();
                CopyError::Storage(cause).into()
            })
        });
        drop(reply.send(replaced));
    }

    /// Decides jobs together, commits what they change, and answers them.
    fn serve_group(&mut self, jobs: Vec<Box<dyn Job>>) {
        if !self.failed && self.engine.is_broken() {
            self.fail();
        }
        let jobs = std::mem::take(&mut self.carried).into_iter().chain(jobs);
        if self.failed {
            let answers = jobs.map(|job| (job, Err(Error::NeedsReopen))).collect();
            self.answer(answers, |_| {});
            return;
        }
        self.moved = self.engine.is_moved();
        if self.moved {
            let answers = jobs.map(|job| (job, Err(Error::FileMoved))).collect();
            self.answer(answers, |_| {});
            return;
        }
        let mut jobs: Vec<_> = jobs.collect();
        let entries = jobs.iter().map(|job| job.size().entries);
        let entries = entries.fold(0, usize::saturating_add);
        let mut base = self.engine.base(&self.current);
        loop {
            let mut draft = Draft::new(&base, entries);
            let decided = self.decide(&mut jobs, &mut draft);
            let sweep_stopped = self.sweep(&mut draft);
            let trimmed = draft.trim();
            match self.engine.look_up(&base) {
                Ok(None) => {
                    self.sweep_stopped |= sweep_stopped;
                    let decided = jobs.into_iter().zip(decided);
                    let decided = decided.map(|(job, (progress, number))| (job, progress, number));
                    self.finish_group(decided.collect(), &base, trimmed.map(|()| draft));
                    return;
                }
                Ok(Some(next)) => {
                    drop(draft);
                    jobs.iter_mut().for_each(|job| job.forget());
                    base = next;
                }
                Err(cause) => {
                    drop(draft);
                    self.refuse_group(jobs, &cause);
                    return;
                }
            }
        }
    }

    /// Decides jobs one after the other. Gives for each how far it came, and the number of the state that it was
    /// decided on or leads to.
    fn decide(
        &self,
        jobs: &mut [Box<dyn Job>],
        draft: &mut Draft<'_>,
    ) -> Vec<(Progress, SequenceNumber)> {
        let keep = self.engine.decides_again();
        let mut decided = Vec::with_capacity(jobs.len());
        for job in jobs {
            if keep {
                job.keep();
            }
            let progress = job.decide(draft);
            decided.push((progress, draft.state.sequence));
        }
        decided
    }

    /// Answers jobs of which nothing was written.
    fn refuse_group(&self, jobs: Vec<Box<dyn Job>>, cause: &StorageError) {
        let answers = jobs
            .into_iter()
            .map(|job| (job, Err(Error::Storage(cause.clone()))));
        self.answer(answers.collect(), |_| {});
    }

    /// Commits what jobs changed, and answers them.
    fn finish_group(
        &mut self,
        decided: Vec<Decided>,
        base: &Arc<Committed>,
        draft: Result<Draft<'_>, Failure>,
    ) {
        let conflicts_not_kept = draft.as_ref().map_or(0, |draft| draft.conflicts_not_kept);
        let requests = decided.len();
        let committed = draft.map_err(|failure| self.engine.not_drafted(failure.into()));
        let committed = committed.and_then(|draft| self.commit(draft, base, requests));
        let committed = match committed {
            Ok(None) => None,
            Ok(Some((committed, changes, took))) => {
                self.current = Arc::new(committed);
                // Before any caller is answered, so that a caller that was answered reads what it wrote.
                self.shared
                    .set_phase(Phase::Open(Arc::clone(&self.current)));
                self.shared.followed.note(&changes);
                Some(took)
            }
            Err(CommitFailure::Indeterminate(cause)) => {
                self.fail();
                let answers = after_failure(decided, base.state().sequence, &cause);
                self.answer(answers, |stats| stats.commit_failed(&cause));
                return;
            }
            Err(CommitFailure::NotWritten(cause)) => {
                self.refuse_group(decided.into_iter().map(|(job, ..)| job).collect(), &cause);
                return;
            }
        };
        let mut answers = Vec::with_capacity(decided.len());
        for (job, progress, sequence) in decided {
            match progress {
                Progress::Done => answers.push((job, Ok(sequence))),
                Progress::Again => self.carried.push(job),
            }
        }
        let counts = self.current.counts();
        self.answer(answers, |stats| {
            stats.not_kept(conflicts_not_kept);
            if let Some(took) = committed {
                stats.committed(counts, took, requests);
            }
        });
    }

    /// Commits what a group changed. Gives the state after it and how long it took, if anything did.
    fn commit(
        &mut self,
        draft: Draft<'_>,
        base: &Committed,
        requests: usize,
    ) -> Result<Option<(Committed, Changes, Duration)>, CommitFailure> {
        let span = trace::commit(requests, draft.changed_rows(), draft.state.sequence);
        let began = Instant::now();
        let committed = self.engine.commit(draft, base);
        let took = began.elapsed();
        committed
            .map(|committed| committed.map(|(committed, changes)| (committed, changes, took)))
            .inspect_err(|failure| span.failed(failure.cause()))
    }

    /// Counts the outcomes of a group, its commit first, and then answers it.
    fn answer(&self, answers: Vec<Answered>, count_commit: impl FnOnce(&mut RunningStats)) {
        let mut stats = self.shared.stats();
        count_commit(&mut stats);
        for (job, with) in &answers {
            job.count(with.is_ok(), &mut stats);
        }
        drop(stats);
        for (job, with) in answers {
            job.answer(with);
        }
    }

    /// Removes a part of what a disconnected app left behind (R11). Gives whether that failed.
    fn sweep(&self, draft: &mut Draft<'_>) -> bool {
        if !self.has_to_sweep() {
            return false;
        }
        let Some(app) = draft.leaving() else {
            return false;
        };
        let mark = draft.mark();
        let swept = catch_unwind(AssertUnwindSafe(|| connect_app::sweep(draft, app)));
        if !matches!(swept, Ok(Ok(()))) {
            // No caller waits for it, and nothing of it can be seen. `verify` says what is wrong.
            draft.roll_back_to(mark);
            return true;
        }
        false
    }

    fn fail(&mut self) {
        self.failed = true;
        self.shared.followed.lose();
        self.shared
            .set_phase(Phase::Failed(Some(Arc::clone(&self.current))));
    }

    fn reopen(&mut self) -> Result<SequenceNumber, Error> {
        if !self.failed && !self.engine.is_broken() {
            // Several callers may have to learn the outcome of their requests from one reopening. The
            // first of them reopened; by now others may have taken the numbers of what was lost.
            let current = self.current.state().sequence;
            return Ok(self.found.unwrap_or(current));
        }
        self.fail();
        self.shared.set_phase(Phase::Failed(None));
        let Found { committed, found } = self.engine.reopen()?;
        self.current = Arc::new(committed);
        self.failed = false;
        self.shared.stats().counts = self.current.counts();
        self.sweep_stopped = false;
        self.fill_stopped = false;
        self.shared
            .set_phase(Phase::Open(Arc::clone(&self.current)));
        self.found = Some(found);
        Ok(found)
    }
}

/// What to answer when the commit of a group failed on top of the state numbered `durable` (R49).
fn after_failure(
    decided: Vec<Decided>,
    durable: SequenceNumber,
    cause: &StorageError,
) -> Vec<Answered> {
    let answer = |progress, sequence| {
        if sequence > durable {
            Err(Error::Indeterminate {
                sequence,
                cause: cause.clone(),
            })
        } else if progress == Progress::Again {
            Err(Error::NeedsReopen)
        } else {
            Ok(sequence)
        }
    };
    let decided = decided.into_iter();
    decided
        .map(|(job, progress, sequence)| (job, answer(progress, sequence)))
        .collect()
}
