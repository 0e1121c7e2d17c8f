//! Histories of eight threads that write and read as fast as they can, some on a disk that fails, or
//! loses its power, or under a process that is killed (R46–R49).
//!
//! The seed of a history says what its threads ask for and the fate of the disk, not which
//! thread comes first.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use contact_store::{ContactStore, Error};

use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::model::{
    Add, Answer, Choices, Entry, Given, Model, Outcome, Probes, Question, Refused, Request, Waiting,
};
use crate::sequences::alphabet::connect;
use crate::support::cases::{CASES, Cases, HANG, each_seed, long_form};
use crate::support::place::{self, Held, Schema};
use crate::support::random::Random;
use crate::support::{APP, assert_sound};

use super::history::{Asked, History, Indeterminate, Replayed, Seen};
use super::{CLOCK, Ticks, connected, options};

const THREADS: usize = 8;
/// Requests and looks of one thread in one history.
const OPERATIONS: usize = 100;

/// The fate of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sound,
    /// A sync fails once: the store is reopened, and everybody goes on.
    FailedSync,
    /// Some call fails once, at a write perhaps in the middle.
    FailedCall(FaultKind),
    /// The power goes, with all that was not synced. The second half is played on what is left.
    PowerCut,
    /// The process ends; what it wrote is there.
    Killed,
}

impl Fate {
    /// Every third history is played on a disk that is not sound. A database is: what fails there has tests of its own.
    fn of(seed: u64) -> Self {
        if place::in_database() {
            return Fate::Sound;
        }
        match seed % 15 {
            2 | 11 => Fate::FailedSync,
            5 => Fate::FailedCall(FaultKind::Once),
            8 => Fate::PowerCut,
            14 if seed.is_multiple_of(2) => Fate::Killed,
            14 => Fate::FailedCall(FaultKind::OnceInTheMiddle),
            _ => Fate::Sound,
        }
    }

    fn ends_the_process(self) -> bool {
        matches!(self, Fate::PowerCut | Fate::Killed)
    }
}

/// Where the store of a history is.
enum Ground {
    Disk(Arc<TestDisk>),
    Schema(Schema),
}

impl Ground {
    /// Opens the store: once, or as several hosts where that is possible.
    fn open(&self) -> Vec<ContactStore> {
        match self {
            Ground::Disk(disk) => vec![open(disk)],
            Ground::Schema(schema) => schema.open_for(THREADS, &options()),
        }
    }

    /// Holds up all that write.
    fn hold(&self) -> Holding<'_> {
        match self {
            Ground::Disk(disk) => {
                disk.hold();
                Holding::OfDisk(disk)
            }
            Ground::Schema(schema) => Holding::OfSchema(schema.hold()),
        }
    }
}

/// Holds up all that write until it is dropped.
enum Holding<'g> {
    OfDisk(&'g TestDisk),
    OfSchema(Held),
}

impl Holding<'_> {
    /// Waits until a writer is held up.
    fn wait(&self) {
        match self {
            Holding::OfDisk(disk) => {
                assert!(disk.somebody_waits(HANG), "the name is not written");
            }
            Holding::OfSchema(held) => held.wait(),
        }
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        if let Holding::OfDisk(disk) = self {
            disk.release();
        }
    }
}

/// A store with both apps connected, and the model of it.
struct Start {
    ground: Ground,
    model: Model,
}

impl Start {
    fn new() -> Self {
        let ground = match place::schema() {
            Some(schema) => Ground::Schema(schema),
            None => Ground::Disk(TestDisk::empty()),
        };
        let model = connected(&ground.open()[0], "Bot", "Bot");
        Start { ground, model }
    }

    /// Another ground with the same store.
    fn copy(&self) -> Ground {
        match &self.ground {
            Ground::Disk(disk) => Ground::Disk(TestDisk::with(disk.bytes())),
            Ground::Schema(schema) => Ground::Schema(schema.copy()),
        }
    }
}

/// What the threads of one opening of the store share.
struct Stage<'s> {
    /// One, or several hosts that share the threads.
    stores: &'s [ContactStore],
    ticks: &'s Ticks,
    fate: Fate,
    /// What reopening found, each time that somebody asked.
    found: Mutex<BTreeSet<u64>>,
}

impl Stage<'_> {
    /// The host of a thread.
    fn store(&self, thread: usize) -> &ContactStore {
        &self.stores[thread % self.stores.len()]
    }

    /// What a thread does about this answer. `false`: the store is gone.
    fn goes_on(&self, answer: &Answer) -> bool {
        use Refused::{Gone, NeedsReopen, NotRead};
        if !matches!(
            answer,
            Err(Refused::Indeterminate(_) | NeedsReopen | Gone | NotRead)
        ) {
            return true;
        }
        if self.fate.ends_the_process() {
            return false;
        }
        assert_ne!(self.fate, Fate::Sound, "{answer:?}");
        let found = self.store(0).reopen().unwrap().value();
        self.found.lock().unwrap().insert(found);
        true
    }

    /// Looks at one state with some of the thread's own writes between the questions.
    fn look(&self, thread: usize, random: &mut Random, between: impl FnOnce()) -> Option<Seen> {
        let began = self.ticks.next();
        let snapshot = match self.store(thread).snapshot() {
            Ok(snapshot) => snapshot,
            Err(Error::NeedsReopen) if self.fate != Fate::Sound => {
                between();
                return None;
            }
            Err(other) => panic!("{other:?}"),
        };
        let ended = self.ticks.next();
        let mut ask = || {
            let question = Question::choose(&mut Choices::new(&random.number().to_le_bytes()));
            let shown = question.ask_store(&snapshot);
            assert!(self.fate != Fate::Sound || !shown.is_lost(), "{shown:?}");
            (question, shown)
        };
        let mut shown = vec![ask(), ask()];
        between();
        let last_asked = self.ticks.next();
        shown.push(ask());
        Some(Seen {
            began,
            ended,
            last_asked,
            number: snapshot.sequence().value(),
            shown,
        })
    }
}

/// One thread and what it asked, was answered and saw.
struct Caller<'s> {
    stage: &'s Stage<'s>,
    thread: usize,
    random: Random,
    history: History,
}

impl Caller<'_> {
    fn store(&self) -> &ContactStore {
        self.stage.store(self.thread)
    }

    fn request(&mut self) -> Request {
        let bytes: Vec<u8> = (0..8)
            .flat_map(|_| self.random.number().to_le_bytes())
            .collect();
        Request::choose(&mut Choices::new(&bytes))
    }

    /// The first requests of every thread, which share one commit. Of one thread, they take a token
    /// off and add it again.
    fn opening(&mut self) -> Vec<Request> {
        let mut requests: Vec<Request> = (0..3).map(|_| self.request()).collect();
        if self.thread == 0 {
            let entry = Entry::new("t-1", Given::default().external("crm-1"));
            let add = Request::Add(Add::new(APP, vec![entry]));
            let remove = Request::Remove {
                app: APP,
                token: "t-1".to_owned(),
                contact: None,
            };
            requests = vec![add.clone(), remove, add];
        }
        requests
    }

    /// Makes requests, all before the first is answered.
    fn submit(&self, requests: Vec<Request>) -> Vec<(Request, u64, Waiting)> {
        let submit = |request: Request| {
            let began = self.stage.ticks.next();
            let waiting = request.submit(self.store());
            (request, began, waiting)
        };
        requests.into_iter().map(submit).collect()
    }

    /// Waits for all of them. `false`: the store is gone.
    fn wait(&mut self, burst: Vec<(Request, u64, Waiting)>) -> bool {
        let mut goes_on = true;
        for (request, began, waiting) in burst {
            let answer = waiting.wait();
            let ended = self.stage.ticks.next();
            goes_on &= self.stage.goes_on(&answer);
            let asked = Asked::new(self.thread, (began, ended), request, answer);
            self.history.asked.push(asked);
        }
        goes_on
    }

    /// Makes `operations` requests and looks, or fewer when the store is gone.
    fn work(&mut self, mut operations: usize) {
        let is_sound = self.stage.fate == Fate::Sound;
        while operations > 0 {
            let burst = 1 + self.random.below(3.min(operations));
            let requests = (0..burst).map(|_| self.request()).collect();
            let pending = self.submit(requests);
            operations -= burst;
            let goes_on = match self.random.below(16) {
                0 => {
                    // R48: nobody else is touched, which the replay shows.
                    let panicked = self.store().panic_while_deciding().wait();
                    let did_panic = matches!(panicked, Err(Error::Panicked));
                    assert!(did_panic || !is_sound, "{panicked:?}");
                    self.wait(pending)
                }
                1..5 => {
                    operations = operations.saturating_sub(1);
                    self.look_and_wait(pending)
                }
                5 if is_sound && self.random.below(16) == 0 => {
                    assert_sound(self.store());
                    self.wait(pending)
                }
                _ => self.wait(pending),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Looks at one state, waits for the requests, and looks at the same state again.
    fn look_and_wait(&mut self, pending: Vec<(Request, u64, Waiting)>) -> bool {
        let mut random = Random(self.random.number());
        let stage = self.stage;
        let mut goes_on = true;
        let seen = stage.look(self.thread, &mut random, || goes_on = self.wait(pending));
        self.history.seen.extend(seen);
        goes_on
    }
}

/// Lets all threads loose on a store, until they have asked for all or the store is gone. Their
/// first requests share one commit, whose numbers start after the one given.
fn play(seed: u64, stage: &Stage<'_>, ground: &Ground, operations: usize) -> (History, u64) {
    let opened = Barrier::new(THREADS + 1);
    // The writer is held up in a commit until every thread has asked for something.
    let holding = ground.hold();
    let rename = connect(APP, &format!("Bot {}", seed % 7));
    let mut first = Caller {
        stage,
        thread: THREADS,
        random: Random(seed),
        history: History::default(),
    };
    let held = first.submit(vec![rename]);
    holding.wait();
    let mut history = thread::scope(|scope| {
        let opened = &opened;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let mut caller = Caller {
                        stage,
                        thread,
                        random: Random(seed << 8 | thread as u64),
                        history: History::default(),
                    };
                    let requests = caller.opening();
                    let burst = caller.submit(requests);
                    opened.wait();
                    if caller.wait(burst) {
                        caller.work(operations - 3);
                    }
                    caller.history
                })
            })
            .collect();
        opened.wait();
        drop(holding);
        assert!(first.wait(held));
        if let Ground::Disk(disk) = ground {
            arm(seed, stage.fate, disk);
        }
        let mut history = History::default();
        for thread in threads {
            history.add(thread.join().unwrap());
        }
        history
    });
    let Ok((number, _)) = first.history.asked[0].answer else {
        panic!("the name is not written");
    };
    history.add(first.history);
    (history, number)
}

/// Tells the disk when to fail.
fn arm(seed: u64, fate: Fate, disk: &TestDisk) {
    let mut random = Random(!seed);
    let at = |random: &mut Random, calls: usize| disk.calls() + 1 + random.below(calls) as u64;
    match fate {
        Fate::Sound => {}
        Fate::FailedSync => disk.fail_sync(1 + random.below(100) as u64),
        Fate::FailedCall(kind) => disk.fail(Fault {
            at: at(&mut random, 1_500),
            kind,
        }),
        Fate::PowerCut | Fate::Killed => disk.fail(Fault {
            at: at(&mut random, 1_500),
            kind: FaultKind::FromThenOn,
        }),
    }
}

fn open(disk: &Arc<TestDisk>) -> ContactStore {
    ContactStore::open_on_disk(disk.clone(), options()).unwrap()
}

/// Plays the history of a seed, and checks it.
fn check(seed: u64, start: &Start, cases: &Cases) {
    let (fate, ticks) = (Fate::of(seed), Ticks::default());
    let mut ground = start.copy();
    let mut stores = ground.open();
    let operations = if fate.ends_the_process() {
        OPERATIONS / 2
    } else {
        OPERATIONS
    };
    let on_stage = Stage {
        stores: &stores,
        ticks: &ticks,
        fate,
        found: Mutex::default(),
    };
    let (mut history, first_group) = play(seed, &on_stage, &ground, operations);
    let found = on_stage.found.into_inner().unwrap();
    // Everybody who asked was told the same (R49).
    assert!(found.len() <= 1, "found {found:?}");
    if let Some(found) = found.first() {
        count(history.found(*found), cases);
    }
    if let Ground::Disk(disk) = &ground {
        disk.mend();
        if fate.ends_the_process() {
            let left = after_the_end(fate, &stores[0], disk);
            ground = Ground::Disk(TestDisk::with(left));
            stores = ground.open();
            let found = stores[0].snapshot().unwrap().sequence().value();
            history.assert_durable(found);
            count(history.found(found), cases);
            cases.count("opened after the end of a process", 1);
            let again = Stage {
                stores: &stores,
                ticks: &ticks,
                fate: Fate::Sound,
                found: Mutex::default(),
            };
            history.add(play(seed + 1, &again, &ground, OPERATIONS - operations).0);
        } else if fate != Fate::Sound {
            // Nobody may have asked since a read failed.
            stores[0].reopen().unwrap();
        }
    }
    let shown = stores[0].snapshot().unwrap();
    let replayed = history.check(&start.model, CLOCK, |last| {
        last.compare(&shown, &Probes::of_choices())
    });
    drop(shown);
    assert_sound(&stores[0]);
    let group = stores.iter().map(|it| it.stats().unwrap().group_sizes.max);
    let is_large = group.max() > Some(1);
    cases.count("groups larger than one", u64::from(is_large));
    for store in stores {
        store.close().unwrap();
    }
    count_states(&history, &replayed, first_group, cases);
}

/// What is on the disk after the store's process came to its end.
fn after_the_end(fate: Fate, store: &ContactStore, disk: &TestDisk) -> Vec<u8> {
    // It does not come to an end by itself: its disk is gone.
    disk.fail(Fault {
        at: 0,
        kind: FaultKind::FromThenOn,
    });
    drop(store.close());
    match fate {
        Fate::PowerCut => disk.after_power_cut(),
        _ => disk.bytes(),
    }
}

fn count(indeterminate: Indeterminate, cases: &Cases) {
    cases.count("indeterminate and in", indeterminate.are_in);
    cases.count("indeterminate and not in", indeterminate.are_out);
}

/// Counts what was met.
fn count_states(history: &History, replayed: &Replayed, first_group: u64, cases: &Cases) {
    cases.count("requests", history.asked.len() as u64);
    cases.count("looks", history.seen.len() as u64);
    cases.count("states", replayed.last());
    for asked in &history.asked {
        let Ok((_, Outcome::Added(_, entries))) = &asked.answer else {
            continue;
        };
        let refused = entries.iter().filter(|entry| entry.is_err()).count();
        let has_both = refused > 0 && refused < entries.len();
        cases.count("batches with a refused neighbour", u64::from(has_both));
    }
    for seen in &history.seen {
        let newer = |asked: &Asked| {
            let number = asked.answer.as_ref().map_or(0, |(number, _)| *number);
            asked.ended < seen.last_asked && number > seen.number
        };
        let is_older = history.asked.iter().any(newer);
        cases.count("looks at an older state", u64::from(is_older));
    }
    for states in replayed.states_from(first_group).windows(2) {
        let is_last = states[0].contacts() == 1 && states[1].contacts() == 0;
        cases.count("last contact erased", u64::from(is_last));
    }
    // What all threads asked for first was decided in one commit.
    let opening = replayed.states_from(first_group).iter().take(3 * THREADS);
    let subscribers: Vec<Option<u64>> = opening
        .map(|state| state.subscriber_of(APP, "t-1"))
        .collect();
    let mut ids = subscribers.iter().flatten().collect::<Vec<_>>();
    ids.dedup();
    let gone_between = subscribers
        .iter()
        .skip_while(|id| id.is_none())
        .any(Option::is_none);
    cases.count(
        "token removed and added again in one group",
        u64::from(ids.len() > 1 && gone_between),
    );
}

#[test]
fn r46_to_r49_what_many_threads_are_answered_is_one_order_of_their_requests() {
    let start = Start::new();
    let histories = if long_form() {
        15_000
    } else {
        place::share(300, 10)
    };
    let check = move |seed, counts: &Cases| check(seed, &start, counts);
    let cases = each_seed("history", histories, check);
    let mut least = vec![
        (CASES, 300),
        ("requests", 150_000),
        ("looks", 20_000),
        ("states", 40_000),
        ("groups larger than one", 300),
        ("batches with a refused neighbour", 1_000),
        ("looks at an older state", 1_000),
        ("last contact erased", 1),
        ("token removed and added again in one group", 200),
    ];
    if !place::in_database() {
        least.extend([
            ("indeterminate and in", 10),
            ("indeterminate and not in", 10),
            ("opened after the end of a process", 20),
        ]);
    }
    cases.finish(&place::at_least(&least));
}
