//! A writer over the storage of the tests, what its callers ask and are told, and whether that can
//! be (R46–R49).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shuttle::rand::Rng as _;

use crate::cases::Cases;
use crate::error::Error;
use crate::explore::Met;
use crate::limits::Limits;
use crate::model::sequence::Committed;
use crate::operations::operation::{Operation, Size, Step};
use crate::options::WhenFull;
use crate::stats::{OperationKind, Tally};
use crate::storage::{Disk, Draft, Engine, Fate, Rows as _};
use crate::sync::Arc;
use crate::writer::{Pending, Writer};

/// What a request does when it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Adds its own number.
    Adds,
    /// Adds its own number in the second of two commits, and a number before it in the first.
    AddsTwice,
    Nothing,
    /// Adds its own number, and is refused then.
    IsRefused,
    /// Adds its own number, and panics then.
    Panics,
}

impl Does {
    pub fn any() -> Self {
        match shuttle::rand::thread_rng().gen_range(0..8) {
            0..4 => Does::Adds,
            4 => Does::AddsTwice,
            5 => Does::Nothing,
            6 => Does::IsRefused,
            _ => Does::Panics,
        }
    }
}

/// What [`World::read`] counts: that a state was read while a newer one was durable already.
pub const OLDER: &str = "reads of an older state";

/// A request.
#[derive(Clone)]
pub struct Asks {
    own: u64,
    does: Does,
    size: Size,
    steps: u64,
}

/// What a first step adds, so that it can be told apart from a request's own number.
const FIRST_STEP: u64 = 1 << 32;

impl Operation for Asks {
    /// How many numbers there were after it.
    type Outcome = u64;

    const KIND: OperationKind = OperationKind::Erase;

    fn size(&self) -> Size {
        self.size
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<u64>, Error> {
        self.steps += 1;
        match self.does {
            Does::AddsTwice if self.steps == 1 => {
                draft.add(FIRST_STEP + self.own);
                return Ok(Step::Again);
            }
            Does::Nothing => {}
            _ => draft.add(self.own),
        }
        match self.does {
            Does::IsRefused => Err(Error::NothingGiven),
            // Unwinding without a message, which would only clutter the output of the tests.
            Does::Panics => std::panic::resume_unwind(Box::new(())),
            _ => Ok(Step::Done(draft.count())),
        }
    }

    fn count(_: &u64, _: &mut Tally) {}
}

/// A request that was made, and what it was answered.
#[derive(Debug)]
pub struct Told {
    own: u64,
    does: Does,
    began: u64,
    ended: u64,
    answer: Result<Committed<u64>, Error>,
}

/// A request on its way.
pub struct Waits {
    pub own: u64,
    pub does: Does,
    began: u64,
    pub pending: Pending<u64>,
}

/// A writer, and all that its callers were told.
pub struct World {
    pub disk: Arc<Disk>,
    pub writer: Writer,
    // Those of `std`: looking on must not be a step of the schedule.
    ticks: AtomicU64,
    asked: AtomicU64,
    /// The largest number that somebody was told.
    acknowledged: AtomicU64,
    told: Mutex<Vec<Told>>,
    counts: Met,
}

/// An ample queue.
pub fn ample() -> Limits {
    Limits::default()
}

/// Limits with a queue for `waiting_requests` requests.
pub fn places(waiting_requests: usize) -> Limits {
    Limits {
        waiting_requests,
        ..Limits::default()
    }
}

impl World {
    pub fn new(limits: &Limits) -> Arc<Self> {
        World::on(Disk::new(0, &[], 0), limits)
    }

    /// In which these commits fail, and then opening so often.
    pub fn failing(fates: &[(u64, Fate)], opens_that_fail: u32) -> Arc<Self> {
        World::on(Disk::new(0, fates, opens_that_fail), &ample())
    }

    pub fn on(disk: Arc<Disk>, limits: &Limits) -> Arc<Self> {
        let (engine, snapshot) = Engine::open(&disk);
        Arc::new(World {
            writer: Writer::start(engine, snapshot, limits).unwrap(),
            disk,
            ticks: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            told: Mutex::default(),
            counts: Met::default(),
        })
    }

    /// Counts something that was met, for [`end`](World::end) to tell.
    pub fn count(&self, what: &'static str) {
        self.counts.count(what, 1);
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// Makes a request of one entry.
    pub fn ask(&self, does: Does, when_full: WhenFull) -> Waits {
        self.ask_of_size(does, when_full, Size::one(1))
    }

    pub fn ask_of_size(&self, does: Does, when_full: WhenFull, size: Size) -> Waits {
        let own = self.asked.fetch_add(1, Ordering::SeqCst);
        let began = self.tick();
        let asks = Asks {
            own,
            does,
            size,
            steps: 0,
        };
        Waits {
            own,
            does,
            began,
            pending: self.writer.submit(asks, when_full, None, None),
        }
    }

    /// Waits for the answer, and notes it.
    pub fn wait(&self, waits: Waits) -> Result<Committed<u64>, Error> {
        let Waits {
            own,
            does,
            began,
            pending,
        } = waits;
        let answer = pending.wait();
        self.note((own, does, began), answer.clone());
        answer
    }

    /// Waits for the answer for a while at a time, until there is one, and notes it.
    pub fn wait_in_parts(&self, mut waits: Waits) -> Result<Committed<u64>, Error> {
        let answer = loop {
            if let Some(answer) = waits.pending.wait_timeout(Duration::from_secs(1)) {
                break answer;
            }
        };
        self.note_answer(waits, answer.clone());
        answer
    }

    /// Notes an answer that was waited for in another way.
    pub fn note_answer(&self, waits: Waits, answer: Result<Committed<u64>, Error>) {
        self.note((waits.own, waits.does, waits.began), answer);
    }

    fn note(&self, (own, does, began): (u64, Does, u64), answer: Result<Committed<u64>, Error>) {
        if let Ok(committed) = &answer {
            let number = committed.sequence.value();
            self.acknowledged.fetch_max(number, Ordering::SeqCst);
        }
        let told = Told {
            own,
            does,
            began,
            ended: self.tick(),
            answer,
        };
        self.all_told().push(told);
    }

    fn all_told(&self) -> std::sync::MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a reader sees is durable, and not older than what anyone was told before. Gives its
    /// number.
    pub fn read(&self) -> Result<u64, Error> {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let snapshot = self.writer.committed()?;
        let durable = self.disk.numbers();
        if snapshot.numbers().len() < durable.len() {
            self.count(OLDER);
        }
        assert!(durable.starts_with(snapshot.numbers()), "not durable");
        let number = snapshot.state().sequence.value();
        assert!(number >= acknowledged, "{number} < {acknowledged}");
        self.acknowledged.fetch_max(number, Ordering::SeqCst);
        Ok(number)
    }

    /// Closes the store and checks all that was told.
    pub fn end(&self, met: &Cases) {
        drop(self.writer.close());
        self.check(met);
    }

    /// Checks all that was told, of a closed store.
    pub fn check(&self, met: &Cases) {
        self.counts.tell(met);
        assert!(self.disk.is_closed());
        let load = self.writer.load();
        assert_eq!((load.requests, load.text_bytes, load.lobby), (0, 0, 0));
        let durable = self.disk.numbers();
        let distinct: BTreeSet<u64> = durable.iter().copied().collect();
        assert_eq!(distinct.len(), durable.len(), "added twice: {durable:?}");
        let told = self.all_told();
        for told in &*told {
            told.check(&durable);
        }
        for before in &*told {
            let Ok(first) = &before.answer else { continue };
            let (own, first) = (before.own, first.sequence);
            // R47: acknowledged before the other was made.
            for after in told.iter().filter(|after| before.ended < after.began) {
                if let Ok(second) = &after.answer {
                    let changes = after.does != Does::Nothing;
                    let follows = second.sequence > first || !changes && second.sequence == first;
                    assert!(follows, "{own} before {after:?}");
                }
            }
        }
    }
}

impl Told {
    /// What was answered is so.
    fn check(&self, durable: &[u64]) {
        let place = durable.iter().position(|number| *number == self.own);
        let number = place.map(|place| place as u64 + 1);
        match (&self.answer, self.does) {
            (Ok(committed), does) => {
                let told = committed.sequence.value();
                assert_eq!(
                    committed.outcome, told,
                    "decided on another state: {self:?}"
                );
                match does {
                    Does::Adds | Does::AddsTwice => assert_eq!(number, Some(told), "{self:?}"),
                    Does::Nothing => assert!(told <= durable.len() as u64, "{self:?}"),
                    Does::IsRefused | Does::Panics => panic!("{self:?}"),
                }
            }
            (Err(Error::NothingGiven), Does::IsRefused) | (Err(Error::Panicked), Does::Panics) => {
                assert_eq!(number, None, "{self:?}");
            }
            (Err(Error::Indeterminate { sequence, .. }), Does::Adds | Does::AddsTwice) => {
                // In with exactly this number, or not at all; or its first step is.
                let at = durable.get(sequence.value() as usize - 1);
                let is_there = at.is_some_and(|at| is_of(*at, self.own));
                assert!(number.is_none() || is_there, "{self:?} {durable:?}");
            }
            // Decided on a state that may be gone: what changed nothing is as uncertain.
            (Err(Error::Indeterminate { .. }), Does::Nothing) => {}
            (Err(Error::Busy { .. } | Error::Closed | Error::NeedsReopen), _) => {
                assert_eq!(number, None, "{self:?}");
            }
            (Err(_), _) => panic!("{self:?}"),
        }
    }
}

/// Whether the durable number is of the request with this own number.
pub fn is_of(number: u64, own: u64) -> bool {
    number == own || number == FIRST_STEP + own
}

/// Threads of the scenario, which all end before this does.
pub fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads
        .into_iter()
        .map(crate::sync::thread::spawn)
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// `count` callers that do the same.
pub fn callers(
    world: &Arc<World>,
    count: usize,
    call: fn(&World),
) -> Vec<Box<dyn FnOnce() + Send>> {
    let caller = |_| -> Box<dyn FnOnce() + Send> {
        let world = Arc::clone(world);
        Box::new(move || call(&world))
    };
    (0..count).map(caller).collect()
}

/// One that does something else.
pub fn and(
    world: &Arc<World>,
    call: impl FnOnce(&World) + Send + 'static,
) -> Box<dyn FnOnce() + Send> {
    let world = Arc::clone(world);
    Box::new(move || call(&world))
}
