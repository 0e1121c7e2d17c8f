//! The traffic of a store while its disk records every call, and the model of each of its states.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::Instant;

use contact_store::{
    ContactId, ContactStore, Disk, IdempotencyKey, ManualClock, Options, Snapshot,
};

use super::disk::{Event, RecordingDisk};
use super::image::Trace;
use super::promises::Promises;
use crate::model::{Answer, Model, Outcome, Place, Request, Settings};
use crate::support::blocks::Blocks;
use crate::support::cases::HANG;
use crate::support::{at, clock_at, id};

/// What is done next.
#[derive(Clone, Debug)]
pub enum Step {
    /// One request.
    Ask(Request),
    /// One request, which changes something, under an idempotency key of its own.
    Once(Request),
    /// Requests of a thread each, decided in one commit: while that of the first, which changes
    /// something, is under way.
    Group(Request, Vec<Request>),
    /// Requests of a thread each, which nobody holds up.
    Race(Vec<Vec<Request>>),
    Clock(u64),
    CloseAndOpen,
    /// The process is killed, with no power cut, and the store opened again.
    KillAndOpen,
}

/// What was played: its trace, the models, and where in it something of interest happens.
pub struct Played {
    pub trace: Trace,
    /// What was on the disk in the end.
    pub after: Blocks,
    /// What is right at each number, from the first that may be found.
    pub models: Vec<Model>,
    pub options: Options,
    pub keyed: Vec<Keyed>,
    pub marks: Vec<(Range<usize>, &'static str)>,
}

/// A request that was done under an idempotency key (R64).
#[derive(Clone)]
pub struct Keyed {
    key: IdempotencyKey,
    request: Request,
    /// Its number.
    pub number: u64,
    outcome: Outcome,
}

impl Keyed {
    /// The same request under the key has the first answer, and does nothing.
    #[track_caller]
    pub fn assert_repeated(&self, store: &ContactStore) {
        let again = self.request.submit(&self.under_key(store)).wait();
        assert_eq!(again, Ok((self.number, self.outcome.clone())));
    }

    /// The store as another request under the key is made of it.
    pub fn under_key(&self, store: &ContactStore) -> ContactStore {
        store.once(&self.key)
    }
}

/// The outcome of a request, and at which counts of events it was made and answered.
struct Asked {
    made: usize,
    answered: usize,
    answer: Answer,
}

/// Makes a request and waits for its answer.
fn ask(
    store: &ContactStore,
    disk: &Arc<RecordingDisk>,
    request: &Request,
    queued: impl FnOnce(),
) -> Asked {
    /// The writer wakes the waiting caller before it goes on: the count is exact.
    struct Noting {
        disk: Arc<RecordingDisk>,
        answered: AtomicUsize,
        waits: Thread,
    }
    impl Wake for Noting {
        fn wake(self: Arc<Self>) {
            self.answered.store(self.disk.count(), Ordering::SeqCst);
            self.waits.unpark();
        }
    }
    const NOT_YET: usize = usize::MAX;

    let noting = Arc::new(Noting {
        disk: Arc::clone(disk),
        answered: AtomicUsize::new(NOT_YET),
        waits: thread::current(),
    });
    let made = disk.count();
    let waker = noting.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut waiting = pin!(request.submit(store));
    let mut answer = waiting.as_mut().poll(&mut context);
    queued();
    let started = Instant::now();
    let answer = loop {
        match answer {
            Poll::Ready(answer) => break answer,
            Poll::Pending => thread::park_timeout(HANG),
        }
        assert!(started.elapsed() < HANG, "no answer");
        answer = waiting.as_mut().poll(&mut context);
    };
    let answered = match noting.answered.load(Ordering::SeqCst) {
        NOT_YET => disk.count(),
        answered => answered,
    };
    Asked {
        made,
        answered,
        answer,
    }
}

/// A store that is played on.
pub struct Play {
    before: Blocks,
    disk: Arc<RecordingDisk>,
    /// What the store takes for the disk.
    seen: Arc<dyn Disk>,
    clock: Arc<ManualClock>,
    now: u64,
    options: Options,
    store: ContactStore,
    /// What is right at each number, from the first that may be found.
    models: Vec<Model>,
    promises: Promises,
    keyed: Vec<Keyed>,
    marks: Vec<(Range<usize>, &'static str)>,
}

impl Play {
    /// Makes a store on an empty disk.
    pub fn create(mut options: Options) -> Self {
        // The same bytes in every run.
        options.testing.random = Some([1, 2]);
        let model = Model::new(Settings::of(&options));
        let mut play = Play::open(Blocks::default(), options, model);
        play.promises = Promises::default();
        play.promises.find(made(&play.disk.events()), 0);
        play
    }

    /// Opens what is on a disk, of which this is the model.
    pub fn open(before: Blocks, options: Options, model: Model) -> Self {
        Play::open_through(|disk| disk, before, options, model)
    }

    /// The same, with something between the store and its disk.
    pub fn open_through<D: Disk>(
        between: impl FnOnce(Arc<RecordingDisk>) -> Arc<D>,
        before: Blocks,
        mut options: Options,
        model: Model,
    ) -> Self {
        let disk = RecordingDisk::with(before.clone());
        let seen = between(disk.clone());
        let clock = clock_at(0);
        options.clock = clock.clone();
        Play {
            before,
            clock,
            now: 0,
            store: ContactStore::open_on_disk(seen.clone(), options.clone()).unwrap(),
            disk,
            seen,
            options,
            promises: Promises::of(model.sequence()..=model.sequence()),
            models: vec![model],
            keyed: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Closes the store.
    pub fn close(self) -> Played {
        self.store.close().unwrap();
        self.end()
    }

    /// Kills the process.
    pub fn kill(self) -> Played {
        self.disk.unplug();
        drop(self.store.close());
        self.end()
    }

    fn end(mut self) -> Played {
        self.mark_growth();
        let trace = Trace {
            before: self.before,
            events: self.disk.events().into(),
            promises: self.promises,
        };
        Played {
            trace,
            after: self.disk.bytes(),
            models: self.models,
            options: self.options,
            keyed: self.keyed,
            marks: self.marks,
        }
    }
}

/// From which cut on the file is one that was in use and closed cleanly: the next thing that is done
/// to a new file is to give it its name.
fn made(events: &[Event]) -> usize {
    const FLAGS_AT: usize = 9;
    const RECOVERY_REQUIRED: u8 = 2;
    let mut bytes = Blocks::default();
    let mut was_in_use = false;
    let closed = events.iter().position(|event| {
        event.apply(&mut bytes);
        let mut flags = [0];
        let in_use = bytes.read(FLAGS_AT, &mut flags).is_ok() && flags[0] & RECOVERY_REQUIRED != 0;
        was_in_use |= in_use;
        was_in_use && !in_use && matches!(event, Event::Sync)
    });
    closed.unwrap() + 1
}

impl Play {
    fn model(&self) -> &Model {
        self.models.last().unwrap()
    }

    pub fn step(&mut self, step: &Step) {
        let from = self.disk.count();
        match step {
            Step::Ask(request) => self.ask_one(&self.store.clone(), request),
            Step::Once(request) => {
                let key = format!("request {}", self.keyed.len());
                let key = IdempotencyKey::parse(key).unwrap();
                self.ask_one(&self.store.once(&key), request);
                let number = self.model().sequence();
                let (repeated, outcome) = request.submit(&self.store.once(&key)).wait().unwrap();
                assert_eq!(repeated, number);
                self.keyed.push(Keyed {
                    key,
                    request: request.clone(),
                    number,
                    outcome,
                });
                self.mark(from, "under an idempotency key");
            }
            Step::Group(first, others) => {
                let all: Vec<&Request> = std::iter::once(first).chain(others).collect();
                self.ask(&all, |play| play.group(&all));
                self.mark(from, "in a group");
            }
            Step::Race(threads) => self.race(threads),
            Step::Clock(now) => {
                self.now = *now;
                self.clock.set(at(*now));
            }
            Step::CloseAndOpen => {
                self.store.close().unwrap();
                self.open_again(from, "closing and opening");
            }
            Step::KillAndOpen => {
                self.disk.unplug();
                drop(self.store.close());
                self.disk.plug();
                self.open_again(from, "opening after a kill");
            }
        }
        if self.shares_index_rows() {
            self.mark(from, "with contacts that share an index row");
        }
    }

    fn open_again(&mut self, from: usize, mark: &'static str) {
        self.store = ContactStore::open_on_disk(self.seen.clone(), self.options.clone()).unwrap();
        let found = self.store.snapshot().unwrap().sequence().value();
        assert_eq!(found, self.model().sequence());
        self.mark(from, mark);
    }

    /// From after the event at `from` to the last, something of interest happened.
    fn mark(&mut self, from: usize, what: &'static str) {
        self.marks.push((from + 1..self.disk.count() + 1, what));
    }

    /// Has one request made of a handle.
    fn ask_one(&mut self, store: &ContactStore, request: &Request) {
        self.ask(&[request], |play| {
            // Not done before somebody waits for it: when it was answered is noted exactly.
            let held = play.disk.hold();
            vec![ask(store, &play.disk, request, || drop(held))]
        });
    }

    /// Has requests made, one after the other, and the model answer the same.
    fn ask(&mut self, requests: &[&Request], make: impl FnOnce(&Self) -> Vec<Asked>) {
        let from = self.disk.count();
        let before = self.store.snapshot().unwrap();
        let mut model = self.model().clone();
        let mut models = Vec::new();
        let mut answers = Vec::new();
        for request in requests {
            let number = model.sequence();
            answers.push(model.apply(request, self.now));
            if model.sequence() > number {
                models.push(model.clone());
            }
        }
        let commits = self.commits() + self.commits_of(requests, &answers);
        let (pending, listed) = (self.index_pending(), self.conflicts());
        let asked = make(self);
        self.wait_for_commits(commits);
        match self.conflicts().cmp(&listed) {
            Less => self.mark(from, "with a conflict that ends"),
            Equal => {}
            Greater => self.mark(from, "listing a conflict"),
        }
        if self.index_pending() < pending {
            self.mark(from, "folding the indexes");
        }
        for ((request, right), asked) in requests.iter().zip(&answers).zip(&asked) {
            assert_eq!(asked.answer, *right, "{request:?}");
            self.promise(asked);
        }
        self.models.extend(models);
        for mark in marks_of(requests, &answers) {
            self.mark(from, mark);
        }
        if took_the_last_holder(requests, &before, &self.store.snapshot().unwrap()) {
            self.mark(from, "erasing the last contact of a token");
        }
    }

    fn promise(&mut self, asked: &Asked) {
        if let Ok((number, _)) = asked.answer {
            self.promises.begin(asked.made, number);
            self.promises.acknowledge(asked.answered, number);
        }
    }

    /// Changes of the indexes that their buckets do not have.
    fn index_pending(&self) -> u64 {
        self.store.stats().unwrap().index_pending
    }

    fn conflicts(&self) -> u64 {
        self.store.stats().unwrap().conflicts
    }

    fn commits(&self) -> u64 {
        self.store.stats().unwrap().commits
    }

    /// In how many commits these are done: the first in one, the others in another, and then what
    /// each disconnected app has left is swept, in the commit of the others at the earliest.
    fn commits_of(&self, requests: &[&Request], answers: &[Answer]) -> u64 {
        let mut number = self.model().sequence();
        let mut changes = Vec::new();
        let mut sweeps = 0;
        for (at, (request, answer)) in requests.iter().zip(answers).enumerate() {
            let after = answer.as_ref().map_or(number, |(number, _)| *number);
            changes.push(after > number);
            number = after;
            let disconnects = matches!(request, Request::Disconnect { .. }) && answer.is_ok();
            if disconnects && (at > 0 || requests.len() == 1) {
                sweeps += 1;
            }
        }
        let (first, others) = changes.split_first().unwrap();
        let swept_first = matches!(requests[0], Request::Disconnect { .. }) && requests.len() > 1;
        u64::from(*first) + u64::from(others.contains(&true) || swept_first) + sweeps
    }

    /// Waits until the writer has nothing left to do: sweeping is nobody's request.
    fn wait_for_commits(&self, commits: u64) {
        let started = Instant::now();
        while self.commits() < commits {
            assert!(started.elapsed() < HANG, "it sweeps no more");
            thread::yield_now();
        }
        assert_eq!(self.commits(), commits);
    }

    fn group(&self, requests: &[&Request]) -> Vec<Asked> {
        let (store, disk) = (&self.store, &self.disk);
        thread::scope(|scope| {
            let held = disk.hold();
            let mut threads = Vec::new();
            for (at, request) in requests.iter().enumerate() {
                let (queued, wait) = mpsc::channel();
                threads.push(
                    scope.spawn(move || ask(store, disk, request, || queued.send(()).unwrap())),
                );
                wait.recv_timeout(HANG).unwrap();
                if at == 0 {
                    disk.wait_until_held();
                }
            }
            drop(held);
            let threads = threads.into_iter();
            threads.map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// The requests of each thread in their order, whichever way those of different threads come to
    /// lie. The model then answers in the order of their numbers.
    fn race(&mut self, threads: &[Vec<Request>]) {
        let from = self.disk.count();
        let (store, disk) = (&self.store, &self.disk);
        let mut asked: Vec<(&Request, Asked)> = thread::scope(|scope| {
            let run = |requests: &'_ [Request]| {
                let ask = |request: &Request| ask(store, disk, request, || {});
                requests.iter().map(ask).collect::<Vec<Asked>>()
            };
            let running: Vec<_> = threads
                .iter()
                .map(|requests| scope.spawn(move || run(requests)))
                .collect();
            let answers = running.into_iter().map(|thread| thread.join().unwrap());
            let pairs = threads.iter().zip(answers);
            pairs
                .flat_map(|(requests, answers)| requests.iter().zip(answers))
                .collect()
        });
        let number = |asked: &Asked| asked.answer.as_ref().unwrap().0;
        asked.sort_by_key(|(_, asked)| number(asked));
        for (request, asked) in asked {
            let mut model = self.model().clone();
            assert_eq!(asked.answer, model.apply(request, self.now), "{request:?}");
            assert_eq!(model.sequence(), self.model().sequence() + 1);
            self.models.push(model);
            self.promise(&asked);
        }
        self.mark(from, "of racing threads");
    }

    fn shares_index_rows(&self) -> bool {
        let now = self.store.snapshot().unwrap();
        self.options.testing.hash_mask == 0 && now.contact_count() >= 2 && {
            let with_email = |contact| {
                let card = now.contact(id(contact)).unwrap();
                card.is_some_and(|card| card.identifiers.email().is_some())
            };
            (1..=8).filter(|contact| with_email(*contact)).count() >= 2
        }
    }

    /// The commits in which the file grows, from then on.
    fn mark_growth(&mut self) {
        let mut len = self.before.len();
        let mut grown = None;
        let mut syncs = 0;
        for (at, event) in self.disk.events().iter().enumerate() {
            match event {
                Event::SetLen(to) => {
                    if *to > len {
                        (grown, syncs) = (Some(at), 0);
                    }
                    len = *to;
                }
                // The first makes the length last, the other two are those of the commit.
                Event::Sync if grown.is_some() => {
                    syncs += 1;
                    if syncs == 3 {
                        let from = grown.take().unwrap();
                        self.marks
                            .push((from + 1..at + 1, "in a commit that made the file grow"));
                    }
                }
                _ => {}
            }
        }
    }
}

/// What is of interest in requests and their answers.
fn marks_of(requests: &[&Request], answers: &[Answer]) -> Vec<&'static str> {
    let mut marks: Vec<&'static str> = requests.iter().map(|request| kind(request)).collect();
    let changed = |answer: &Answer| matches!(answer, Ok((_, outcome)) if !has_refusals(outcome));
    let refused = |answer: &Answer| match answer {
        Ok((_, outcome)) => has_refusals(outcome),
        Err(_) => true,
    };
    if requests.len() > 1 && answers.iter().any(changed) && answers.iter().any(refused) {
        marks.push("with a refused neighbour");
    }
    let mut removed: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, (request, answer)) in requests.iter().zip(answers).enumerate() {
        match (request, answer) {
            (Request::Remove { token, .. }, Ok((_, Outcome::Removed(from))))
                if !from.is_empty() =>
            {
                removed.insert(token, at);
            }
            (Request::Add(add), Ok((_, Outcome::Added(_, outcomes)))) => {
                let placed = add.entries.iter().zip(outcomes).any(|(entry, outcome)| {
                    let token = entry.token.as_deref().unwrap_or_default();
                    let again = removed.contains_key(token);
                    again
                        && outcome
                            .as_ref()
                            .is_ok_and(|added| added.token == Place::Added)
                });
                if placed {
                    marks.push("removing a token and adding it again in one group");
                }
            }
            _ => {}
        }
    }
    marks
}

fn has_refusals(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Added(_, entries) => entries.iter().any(Result::is_err),
        Outcome::Reported(reports) => reports.iter().any(Result::is_err),
        Outcome::Upserted(items) => items.iter().any(Result::is_err),
        _ => false,
    }
}

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Connect { .. } => "connecting",
        Request::Disconnect { .. } => "disconnecting and sweeping",
        Request::Add(_) => "adding tokens",
        Request::Report(_) => "reporting",
        Request::Upsert(_) => "upserting",
        Request::Remove { .. } => "removing a token",
        Request::Rename { .. } => "renaming a token",
        Request::Mute { .. } | Request::Unmute { .. } => "muting",
        Request::Erase { .. } => "erasing",
        Request::Suppress { .. } | Request::Lift(_) => "suppressing",
        Request::BringBack { .. } => "bringing back",
        Request::Merge { .. } => "merging",
        Request::Unmerge { .. } => "unmerging",
        Request::Split { .. } => "splitting",
        Request::Dismiss { .. } => "dismissing a conflict",
        Request::Forget { .. } => "forgetting messages",
        Request::RemoveStale { .. } => "removing stale subscribers",
    }
}

/// Whether one of these erased the only contact that held a token.
fn took_the_last_holder(requests: &[&Request], before: &Snapshot, after: &Snapshot) -> bool {
    let last_of = |contact: ContactId| {
        let card = before.contact(contact).unwrap();
        card.is_some_and(|card| {
            card.tokens.iter().any(|held| {
                let subscriber = before.subscriber(held.subscriber).unwrap();
                let alone = subscriber.is_some_and(|it| it.contacts == [contact]);
                alone && after.subscriber(held.subscriber).unwrap().is_none()
            })
        })
    };
    requests.iter().any(|request| match request {
        Request::Erase { contact } | Request::Suppress { contact } => last_of(id(*contact)),
        _ => false,
    })
}
