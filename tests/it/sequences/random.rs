//! Long random sequences of requests.
//!
//! A case is bytes, and what it does is made of them by choices of which the first is the plainest,
//! so that the smallest bytes that fail are the simplest sequence that fails.

use contact_store::{Options, Status};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::model::{Add, Choices, Entry, Given, Outcome, Probes, Reports, Request, Said, Settings};
use crate::support::{APP, OTHER_APP};

use super::Pair;

/// What a case does next.
#[derive(Debug)]
enum Step {
    /// Makes requests before the first is answered: one in most cases.
    Ask(Vec<Request>),
    /// Puts the clock, forwards in most cases.
    Clock(u64),
    /// Closes the store, and opens it with these settings.
    Close(Settings),
    /// Opens what is left after the process was killed.
    Kill,
}

impl Step {
    fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.below(32) {
            0..26 => {
                let count = choices.of(&[1, 1, 1, 1, 2, 3]);
                Step::Ask((0..count).map(|_| Request::choose(choices)).collect())
            }
            26..29 => Step::Clock(choices.of(&[3_000, 4_000, 5_000, 1_500])),
            29 => Step::Close(Settings::choose(choices)),
            _ => Step::Kill,
        }
    }
}

/// A whole case.
#[derive(Debug)]
struct Case {
    settings: Settings,
    hash_mask: u64,
    steps: Vec<Step>,
}

impl Case {
    fn new(bytes: &(Vec<u8>, Vec<Vec<u8>>)) -> Self {
        let mut choices = Choices::new(&bytes.0);
        let step = |bytes: &Vec<u8>| Step::choose(&mut Choices::new(bytes));
        Case {
            hash_mask: choices.of(&[u64::MAX, 0, 1]),
            settings: Settings::choose(&mut choices),
            steps: bytes.1.iter().map(step).collect(),
        }
    }

    fn bytes() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
        let settings = vec(any::<u8>(), 10);
        (settings, vec(vec(any::<u8>(), 1..48), 1..STEPS))
    }

    fn run(&self, probes: &Probes) -> Result<(), String> {
        let mut options = Options::default();
        self.settings.set(&mut options);
        options.testing.hash_mask = self.hash_mask;
        let mut clock = 2_000;
        let mut pair = Pair::new(options);
        for (app, name) in [(APP, "First bot"), (OTHER_APP, "Second bot")] {
            let connect = Request::Connect {
                app,
                name: name.to_owned(),
                key: None,
            };
            pair.ask(&connect, clock)?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            let done = match step {
                Step::Ask(requests) => {
                    let requests: Vec<&Request> = requests.iter().collect();
                    let waiting = pair.submit(&requests, clock);
                    pair.agree(&requests, waiting, clock)
                }
                Step::Clock(to) => {
                    clock = *to;
                    Ok(())
                }
                Step::Close(settings) => {
                    let mut options = pair.options.clone();
                    settings.set(&mut options);
                    pair.model.reopen(settings.clone());
                    pair.store.close().unwrap();
                    pair = Pair::open(pair.disk.copy(), &options, pair.model.clone());
                    pair.compare(probes)
                }
                Step::Kill => {
                    let disk = pair.disk.copy();
                    pair = Pair::open(disk, &pair.options, pair.model.clone());
                    pair.compare(probes)
                }
            };
            done.map_err(|difference| format!("step {at}: {difference}"))?;
        }
        pair.compare(probes)
    }
}

const CASES: u32 = 200;
const STEPS: usize = 80;
const SEED: [u8; 32] = [7; 32];

#[test]
fn long_random_sequences_agree() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let seeded = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let probes = Probes::of_choices();
    let run = TestRunner::new_with_rng(config, seeded).run(&Case::bytes(), |bytes| {
        Case::new(&bytes).run(&probes).map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            panic!("seed {SEED:?}\n{:#?}\n{reason}", Case::new(&bytes))
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn r30_r47_forgetting_takes_a_number_for_each_step_that_removes_something() {
    // In steps of 4,096: the first and the third find something old, the second nothing.
    const MESSAGES: usize = 9_000;
    let is_old = |at: usize| at < 100 || at >= 8_500;
    let mut pair = Pair::new(Options::default());
    let connect = Request::Connect {
        app: APP,
        name: "First bot".to_owned(),
        key: None,
    };
    let add = Add::new(
        APP,
        vec![Entry::new("t-1", Given::default().external("crm-1"))],
    );
    for request in [connect, Request::Add(add)] {
        pair.ask(&request, 2_000).unwrap();
    }
    let report = |at: usize| Said {
        message: Some(format!("m-{at:04}")),
        at: Some(if is_old(at) { 1_000 } else { 2_000 }),
        ..Said::new("t-1", Status::Sent)
    };
    let all: Vec<Said> = (0..MESSAGES).map(report).collect();
    for some in all.chunks(3_000) {
        let reports = Reports::new(APP, some.to_vec());
        pair.ask(&Request::Report(reports), 2_000).unwrap();
    }
    let before = pair.model.sequence();
    let forget = Request::Forget {
        app: APP,
        before: 2_000,
    };
    let answer = forget.submit(&pair.store).wait();
    assert_eq!(answer, Ok((before + 2, Outcome::Forgotten(600))));
    assert_eq!(pair.model.apply(&forget, 2_000), answer);
    let probes = Probes {
        page: 1_000,
        ..Probes::of_choices()
    };
    pair.compare(&probes).unwrap();
}
