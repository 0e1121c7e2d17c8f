//! Many threads on one store: what each is answered, in which order, and what becomes of pending
//! writes.

mod history;
mod pending;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use contact_store::{AppId, ContactStore, Error, Options};

use crate::model::{Choices, Model, Probes, Request, Settings, Waiting};
use crate::support::{ManualClock, assert_sound};

use self::history::{Asked, History, Seen};

/// Passes numbers in the order in which things happen: what ended before something began has a
/// smaller one.
#[derive(Default)]
struct Ticks(AtomicU64);

impl Ticks {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// Random bytes from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, many: u64) -> u64 {
        self.next() % many
    }

    fn request(&mut self) -> Request {
        let bytes: Vec<u8> = (0..8).flat_map(|_| self.next().to_le_bytes()).collect();
        Request::choose(&mut Choices::new(&bytes))
    }
}

const THREADS: u64 = 8;
const BURSTS: usize = 200;
const CLOCK: u64 = 3_000;

/// What one thread does: bursts of requests, made before the first of them is answered, and between
/// them a request whose deciding panics, or a read.
fn work(thread: u64, store: &ContactStore, ticks: &Ticks) -> History {
    let mut random = Random(thread);
    let mut history = History::default();
    for _ in 0..BURSTS {
        match random.below(8) {
            0 => {
                // R48: nobody else is touched, which the replay shows.
                let panicked = store.panic_while_deciding().wait();
                assert!(matches!(panicked, Err(Error::Panicked)), "{panicked:?}");
            }
            1 | 2 => {
                let began = ticks.next();
                let snapshot = store.snapshot().unwrap();
                let ended = ticks.next();
                history.seen.push(Seen {
                    began,
                    ended,
                    snapshot,
                });
            }
            3 if random.below(8) == 0 => assert_sound(store),
            _ => {}
        }
        let burst: Vec<(Request, u64, Waiting)> = (0..=random.below(4))
            .map(|_| {
                let request = random.request();
                let began = ticks.next();
                let waiting = request.submit(store);
                (request, began, waiting)
            })
            .collect();
        for (request, began, waiting) in burst {
            let answer = waiting.wait();
            history.asked.push(Asked {
                thread,
                began,
                ended: ticks.next(),
                request,
                answer,
            });
        }
    }
    history
}

/// The seeds of the threads are their numbers.
#[test]
fn r46_to_r48_what_many_threads_are_answered_is_one_order_of_their_requests() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let mut options = Options::default();
    options.clock = ManualClock::at(CLOCK);
    let store = ContactStore::open(&path, options.clone()).unwrap();
    let mut model = Model::new(Settings::of(&options));
    for app in [0xa, 0xb] {
        let connect = Request::Connect {
            app: AppId::from_u128(app),
            name: "Bot".to_owned(),
            key: None,
        };
        let answer = connect.submit(&store).wait();
        assert_eq!(answer, model.apply(&connect, CLOCK));
    }

    let (ticks, start) = (Ticks::default(), Barrier::new(THREADS as usize));
    let histories: Vec<History> = thread::scope(|scope| {
        let (store, ticks, start) = (&store, &ticks, &start);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    start.wait();
                    work(thread, store, ticks)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|done| done.join().unwrap())
            .collect()
    });

    let probes = Probes::of_choices();
    let history = History::of_all(histories);
    let last = history.check(model, CLOCK, &probes);
    // Few changes, or no refusals, would prove little.
    let refused = history.asked.iter().filter(|asked| asked.answer.is_err());
    assert!(last.sequence() > 1_000 && refused.count() > 200);
    drop(history);
    store.close().unwrap();
    let reopened = ContactStore::open(&path, options).unwrap();
    last.compare(&reopened.snapshot().unwrap(), &probes)
        .unwrap();
    assert_sound(&reopened);
}
