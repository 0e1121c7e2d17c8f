//! All sequences of up to three requests over a small alphabet.

use contact_store::{
    AppId, BatchMode, InvalidIdentifier, MatchPolicy, Options, Ownership, Status, UnknownContactId,
};

use crate::model::{Add, Entry, Given, Model, Names, Probes, Reports, Request, Said};
use crate::support::{APP, OTHER_APP};

use super::Pair;
use super::memory_disk::MemoryDisk;

fn add(entries: &[(&str, Given)]) -> Add {
    let entries = entries
        .iter()
        .map(|(token, given)| Entry::new(token, given.clone()));
    Add::new(APP, entries.collect())
}

fn one(token: &str, given: Given) -> Request {
    Request::Add(add(&[(token, given)]))
}

fn given() -> Given {
    Given::default()
}

fn reports(reports: Vec<Said>) -> Request {
    Request::Report(Reports::new(APP, reports))
}

fn said(token: &str, status: Status, message: &str) -> Said {
    Said {
        message: Some(message.to_owned()),
        ..Said::new(token, status)
    }
}

fn connect(app: AppId, name: &str) -> Request {
    Request::Connect {
        app,
        name: name.to_owned(),
        key: None,
    }
}

const ANN: &str = "ann@example.com";
const BEN: &str = "ben@example.com";
const PHONE: &str = "380500000001";
const OTHER_PHONE: &str = "380500000002";

/// The requests of the short sequences: three of them reach every conflict of identifiers, of
/// tokens and of times.
fn alphabet() -> Vec<Request> {
    let batch = add(&[
        ("t-1", given().email(ANN)),
        ("t-2", given().phone("12")),
        ("t-1", given().email(BEN)),
    ]);
    // Refused once contact 1 is erased.
    let all_or_nothing = Add {
        mode: BatchMode::AllOrNothing,
        ..add(&[
            ("t-2", given().phone(OTHER_PHONE)),
            ("t-1", given().contact_id(1)),
        ])
    };
    let ignoring = Add {
        invalid_identifier: Some(InvalidIdentifier::Ignore),
        ..add(&[("t-2", given().phone("12").email(BEN))])
    };
    let rejecting = Add {
        unknown_contact_id: Some(UnknownContactId::Reject),
        ..add(&[("t-1", given().contact_id(7).phone(PHONE))])
    };
    // Older than the first request of a sequence, and taking the token from whoever has it.
    let taking = Add {
        at: Some(FIRST_AT - 500),
        ownership: Some(Ownership::Exclusive),
        ..add(&[("t-1", given().email(ANN))])
    };
    let of_other_app = Add {
        app: OTHER_APP,
        ..add(&[("t-1", given().email(ANN))])
    };
    // As old as the first request of a sequence.
    let late = Said {
        at: Some(FIRST_AT),
        ..said("t-1", Status::Failed, "m-1")
    };
    let of_subscriber = Said {
        token: None,
        subscriber: Some(1),
        reason: Some("Bad Request".to_owned()),
        ..Said::new("", Status::Failed)
    };
    let remove = |contact| Request::Remove {
        app: APP,
        token: "t-1".to_owned(),
        contact,
    };
    vec![
        one("t-1", given().email(ANN)),
        one("t-1", given().email(BEN)),
        one("t-2", given().email(ANN).phone(PHONE)),
        one("t-1", given().email(BEN).phone(PHONE)),
        one("t-1", given().email(ANN).phone(OTHER_PHONE)),
        one("t-2", given().external("crm-1").phone(PHONE)),
        // 1 is the first id that the store assigns, 2 the next.
        one("t-2", given().contact_id(1).email(BEN)),
        one("t-1", given().contact_id(2).phone(OTHER_PHONE)),
        Request::Add(batch),
        Request::Add(all_or_nothing),
        Request::Add(ignoring),
        Request::Add(rejecting),
        Request::Add(taking),
        Request::Add(of_other_app),
        reports(vec![said("t-1", Status::Failed, "m-1")]),
        reports(vec![late]),
        reports(vec![said("t-2", Status::Sent, "m-1"), of_subscriber]),
        remove(None),
        remove(Some(1)),
        Request::Erase { contact: 1 },
        Request::Erase { contact: 2 },
        Request::Disconnect { app: APP },
        connect(APP, "New name"),
        Request::Forget {
            app: APP,
            before: FIRST_AT + 1_500,
        },
    ]
}

/// When the first request of a short sequence is made; the next come a second later each.
const FIRST_AT: u64 = 2_000;
const LENGTH: usize = 3;

fn probes() -> Probes {
    let emails = [ANN, BEN].map(Names::email);
    let phones = [380_500_000_001, 380_500_000_002].map(Names::phone);
    let external = Names::external("crm-1");
    let names = vec![
        Names::id(1).and(emails[1].clone()),
        Names::id(2).and(phones[1].clone()),
        phones[0].clone().and(emails[1].clone()),
        phones[1].clone().and(emails[0].clone()),
        external.clone().and(phones[0].clone()),
    ];
    Probes {
        ids: (1..=4).chain([7]).collect(),
        names: names
            .into_iter()
            .chain(emails)
            .chain(phones)
            .chain([external])
            .collect(),
        apps: vec![APP, OTHER_APP],
        tokens: vec!["t-1".to_owned(), "t-2".to_owned()],
        page: 2,
    }
}

/// Walks the tree of all short sequences.
struct Walk {
    alphabet: Vec<Request>,
    probes: Probes,
    options: Options,
    /// How many sequences the walk has seen the end of.
    sequences: usize,
}

impl Walk {
    /// A walk over stores with these options, and the store that all sequences start from.
    fn new(options: Options) -> (Self, Pair) {
        let mut pair = Pair::new(options);
        for (app, name) in [(APP, "First bot"), (OTHER_APP, "Second bot")] {
            pair.ask(&connect(app, name), FIRST_AT - 1_000).unwrap();
        }
        let walk = Walk {
            alphabet: alphabet(),
            probes: probes(),
            options: pair.options.clone(),
            sequences: 0,
        };
        (walk, pair)
    }

    /// The requests that change nothing after `model`, and those that do.
    fn divide(&self, model: &Model, clock: u64) -> (Vec<usize>, Vec<usize>) {
        (0..self.alphabet.len()).partition(|at| {
            let mut after = model.clone();
            drop(after.apply(&self.alphabet[*at], clock));
            after == *model
        })
    }

    /// Checks every sequence that goes on from `path`, which led to `pair`, the store opened anew
    /// before each request: on a copy of a disk that was closed, or of one whose process was killed.
    ///
    /// A request that changes nothing is made of the store as it is, and not followed: there was no
    /// commit, so what comes after it comes after `path` as well.
    fn follow(&mut self, path: &[usize], mut pair: Pair) {
        let clock = FIRST_AT + 1_000 * path.len() as u64;
        let (idle, changing) = self.divide(&pair.model, clock);
        for at in idle {
            let asked = pair.ask(&self.alphabet[at], clock);
            self.check(&[path, &[at]].concat(), asked);
        }
        // Also that none of these changed anything.
        self.check(path, pair.compare(&self.probes));
        let model = pair.model.clone();
        let disk = if path.iter().sum::<usize>().is_multiple_of(2) {
            pair.store.close().unwrap();
            pair.disk.copy()
        } else {
            pair.kill()
        };
        for at in changing {
            let path = [path, &[at]].concat();
            let mut pair = Pair::open(disk.copy(), &self.options, model.clone());
            let asked = pair.ask(&self.alphabet[at], clock);
            self.check(&path, asked);
            if path.len() < LENGTH {
                self.follow(&path, pair);
            } else {
                self.check(&path, pair.compare(&self.probes));
            }
        }
    }

    /// Checks every sequence of three, made of one store on a copy of `disk`, whose requests share
    /// one commit: what a later one reads of an earlier one is not in any table yet, and what a
    /// refused one wrote is rolled back from among the others.
    ///
    /// Those that go on with a request that changes nothing share a store.
    fn share_commits(&mut self, disk: &MemoryDisk, model: &Model) {
        let clock = FIRST_AT;
        for first in self.divide(model, clock).1 {
            for second in 0..self.alphabet.len() {
                let mut after = model.clone();
                for at in [first, second] {
                    drop(after.apply(&self.alphabet[at], clock));
                }
                let (idle, changing) = self.divide(&after, clock);
                let mut paths: Vec<Vec<usize>> = vec![[&[first, second], &idle[..]].concat()];
                paths.extend(changing.iter().map(|at| vec![first, second, *at]));
                for path in paths {
                    let mut pair = Pair::open(disk.copy(), &self.options, model.clone());
                    let asked = self.ask_in_one_commit(&mut pair, &path, clock);
                    self.check(&path, asked);
                    self.check(&path, pair.compare(&self.probes));
                }
            }
        }
    }

    fn ask_in_one_commit(&self, pair: &mut Pair, path: &[usize], clock: u64) -> Result<(), String> {
        let requests: Vec<&Request> = path.iter().map(|at| &self.alphabet[*at]).collect();
        // What is asked while the writer is held up in a commit waits for the next.
        let gate = pair.disk.shut();
        let before = connect(OTHER_APP, "Another name");
        let holding = pair.submit(&[&before], clock);
        gate.wait();
        let waiting = pair.submit(&requests, clock);
        drop(gate);
        pair.agree(&[&before], holding, clock)?;
        pair.agree(&requests, waiting, clock)
    }

    #[track_caller]
    fn check(&mut self, path: &[usize], outcome: Result<(), String>) {
        self.sequences += 1;
        if let Err(difference) = outcome {
            let requests: Vec<&Request> = path.iter().map(|at| &self.alphabet[*at]).collect();
            panic!("after {requests:#?}\n{difference}");
        }
    }
}

/// Checks all short sequences, with these options.
fn check_all(policy: MatchPolicy, ownership: Ownership, hash_mask: u64) {
    let mut options = Options::default();
    options.policy = policy;
    options.ownership = ownership;
    options.testing.hash_mask = hash_mask;
    let (mut walk, pair) = Walk::new(options);
    walk.follow(&[], pair);
    // A walk that sees little proves little.
    assert!(walk.sequences > 4_000, "{} sequences", walk.sequences);
}

#[test]
fn all_short_sequences_agree_under_cascade_and_shared() {
    check_all(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
}

#[test]
fn all_short_sequences_agree_under_cascade_and_exclusive() {
    check_all(MatchPolicy::Cascade, Ownership::Exclusive, u64::MAX);
}

#[test]
fn all_short_sequences_agree_under_top_priority_and_shared() {
    check_all(MatchPolicy::TopPriority, Ownership::Shared, u64::MAX);
}

#[test]
fn all_short_sequences_agree_under_top_priority_and_exclusive() {
    check_all(MatchPolicy::TopPriority, Ownership::Exclusive, u64::MAX);
}

#[test]
fn all_short_sequences_agree_when_all_of_a_kind_share_one_index_row() {
    check_all(MatchPolicy::Cascade, Ownership::Shared, 0);
}

fn check_all_in_one_commit(policy: MatchPolicy, ownership: Ownership, hash_mask: u64) {
    let mut options = Options::default();
    options.policy = policy;
    options.ownership = ownership;
    options.testing.hash_mask = hash_mask;
    let (mut walk, pair) = Walk::new(options);
    pair.store.close().unwrap();
    walk.share_commits(&pair.disk.copy(), &pair.model);
    assert!(walk.sequences > 4_000, "{} sequences", walk.sequences);
}

#[test]
fn all_short_sequences_agree_in_one_commit() {
    check_all_in_one_commit(MatchPolicy::TopPriority, Ownership::Shared, u64::MAX);
}

#[test]
fn all_short_sequences_agree_in_one_commit_when_all_of_a_kind_share_one_index_row() {
    check_all_in_one_commit(MatchPolicy::Cascade, Ownership::Exclusive, 0);
}
