//! Long random sequences of requests.
//!
//! A case is bytes, and what it does is made of them by choices of which the first is the plainest,
//! so that the smallest bytes that fail are the simplest sequence that fails.

use std::cell::RefCell;
use std::collections::BTreeSet;

use contact_store::{Fault, IdentifierKind, Options, Status};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::model::{
    Add, Added, Answer, Choices, Entry, Given, Outcome, Place, Probes, Refusal, Refused, Renamed,
    Reported, Reports, Request, Said, Settings,
};
use crate::support::place;
use crate::support::random::Random;
use crate::support::{APP, OTHER_APP, fold_always, fold_early};

use super::Pair;
use super::alphabet::{self, FIRST_AT};
use super::changes::{Feed, Reader};

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
    folding: Folding,
    index_memory: usize,
    feed: Feed,
    steps: Vec<Step>,
}

/// When the indexes are folded.
#[derive(Clone, Copy, Debug)]
enum Folding {
    Late,
    Early,
    Always,
}

impl Case {
    fn new(bytes: &(Vec<u8>, Vec<Vec<u8>>)) -> Self {
        let mut choices = Choices::new(&bytes.0);
        let step = |bytes: &Vec<u8>| Step::choose(&mut Choices::new(bytes));
        Case {
            hash_mask: choices.of(&[u64::MAX, 0, 1]),
            settings: Settings::choose(&mut choices),
            folding: choices.of(&[Folding::Late, Folding::Early, Folding::Always]),
            // All, nothing, and next to nothing.
            index_memory: choices.of(&[1 << 30, 0, 2_000]),
            feed: choices.of(&[Feed::Off, Feed::KeepsAll, Feed::KeepsFew, Feed::OnAndOff]),
            steps: bytes.1.iter().map(step).collect(),
        }
    }

    fn bytes() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
        let settings = vec(any::<u8>(), 14);
        (settings, vec(vec(any::<u8>(), 1..48), 1..STEPS))
    }

    /// Runs the case, and notes what kinds of outcomes were seen.
    fn run(&self, probes: &Probes, seen: &mut Kinds) -> Result<(), String> {
        let mut options = Options::default();
        self.settings.set(&mut options);
        options.testing.hash_mask = self.hash_mask;
        options.index_memory = self.index_memory;
        match self.folding {
            Folding::Late => {}
            Folding::Early => fold_early(&mut options),
            Folding::Always => fold_always(&mut options),
        }
        options.change_feed = self.feed.option(true);
        let mut clock = 2_000;
        let mut pair = Pair::new(options);
        let mut reader = Reader::new(self.feed);
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
                    let mut model = pair.model.clone();
                    for request in &requests {
                        note(&model.apply(request, clock), seen);
                    }
                    let before = pair.store.snapshot().unwrap();
                    let waiting = pair.submit(&requests, clock);
                    pair.agree(&requests, waiting, clock)
                        .and_then(|()| reader.read(&before, &pair.store, &requests))
                }
                Step::Clock(to) => {
                    clock = *to;
                    Ok(())
                }
                Step::Close(settings) => {
                    let mut options = pair.options.clone();
                    settings.set(&mut options);
                    options.change_feed = self.feed.option(options.change_feed.is_none());
                    pair.model.reopen(settings.clone());
                    let model = pair.model.clone();
                    pair = Pair::open(pair.close(), &options, model);
                    pair.compare(probes)
                }
                Step::Kill => {
                    let (options, model) = (pair.options.clone(), pair.model.clone());
                    pair = Pair::open(pair.kill(), &options, model);
                    pair.compare(probes)
                }
            };
            done.map_err(|difference| format!("step {at}: {difference}"))?;
        }
        seen.extend(reader.seen());
        pair.compare(probes)
    }
}

/// Kinds of outcomes.
type Kinds = BTreeSet<String>;

fn note(answer: &Answer, seen: &mut Kinds) {
    let mut saw = |kind: String| {
        seen.insert(kind);
    };
    match answer {
        Err(Refused::UnknownApp(_)) => saw("request: unknown app".to_owned()),
        Err(Refused::Limit(limit, ..)) => saw(format!("request: {limit:?}")),
        Err(Refused::Entry(_, refusal)) => saw(format!("request: {}", refusal_kind(refusal))),
        Err(refused) => saw(format!("request: {refused:?}")),
        Ok((_, Outcome::Added(_, entries))) => {
            for entry in entries {
                match entry {
                    Ok(added) => added_kinds(added).into_iter().for_each(&mut saw),
                    Err(refusal) => saw(format!("entry: {}", refusal_kind(refusal))),
                }
            }
        }
        Ok((_, Outcome::Reported(reports))) => {
            for report in reports {
                saw(match report {
                    Ok(Reported::Recorded) => "report: recorded".to_owned(),
                    Ok(Reported::Removed(from)) => {
                        format!("report: removed from {}", from.len().min(2))
                    }
                    Ok(Reported::UnknownSubscriber) => "report: unknown".to_owned(),
                    Err(refusal) => format!("report: {}", refusal_kind(refusal)),
                });
            }
        }
        Ok((_, Outcome::Upserted(items))) => {
            for item in items {
                saw(match item {
                    Ok(upserted) => {
                        let found = match upserted.matched_by {
                            Some(kind) => format!("found by {kind}"),
                            None => "new".to_owned(),
                        };
                        format!("upsert: {found}, {:?}", upserted.card)
                    }
                    Err(refusal) => format!("upsert: {}", refusal_kind(refusal)),
                });
            }
        }
        Ok((_, Outcome::Removed(from))) => saw(format!("removed from {}", from.len().min(2))),
        Ok((_, Outcome::Renamed(Renamed::To(_, joined, _)))) => {
            saw(format!("renamed, joined: {}", joined.is_some()));
        }
        Ok((_, Outcome::Renamed(Renamed::UnknownSubscriber))) => saw("renamed: unknown".to_owned()),
        Ok((_, Outcome::Muted(known, until))) => saw(format!(
            "muted: {}, an end: {}",
            known.is_some(),
            until.is_some()
        )),
        Ok((_, Outcome::Unmuted(known))) => saw(format!("unmuted: {:?}", known.map(|it| it.1))),
        Ok((_, Outcome::Suppressed(kinds))) => {
            saw(format!("suppressed: {}", kinds.iter().count()));
        }
        Ok((_, Outcome::BroughtBack(brought))) => saw(format!(
            "brought back: {:?}",
            brought.as_ref().map(|(_, contacts)| contacts.len().min(2))
        )),
        Ok((_, Outcome::Lifted(kinds))) => saw(format!("lifted: {}", kinds.iter().count())),
        Ok((_, Outcome::Erased(erased))) => saw(format!("erased: {erased}")),
        Ok((_, Outcome::Merged(merged))) => {
            saw(format!(
                "merged: {:?}, {:?}, fields {}, {}",
                merged.identifiers,
                merged.kept_identifiers,
                merged.fields.len().min(1),
                merged.kept_fields.len().min(1)
            ));
            saw(format!(
                "merged: tokens {}, shared {}, ids {}",
                merged.tokens.len().min(2),
                merged.shared_tokens.len().min(2),
                merged.ids.len().min(2)
            ));
        }
        Ok((_, Outcome::Unmerged(unmerged))) => {
            let (identifiers, erased, tokens) = &unmerged.not_given_back;
            saw(format!(
                "unmerged: {:?}, tokens {}, ids {}",
                unmerged.identifiers,
                unmerged.tokens.len().min(2),
                unmerged.ids.len().min(2)
            ));
            saw(format!(
                "unmerged: not {}, tokens {}",
                identifiers.len().min(2),
                tokens.len().min(2)
            ));
            if !erased.is_empty() {
                saw("unmerged: erased since".to_owned());
            }
        }
        Ok((_, Outcome::Dismissed(dismissed))) => saw(format!("dismissed: {dismissed}")),
        Ok((_, Outcome::Split(split))) => saw(format!(
            "split: {:?}, tokens {}",
            split.identifiers,
            split.tokens.len().min(2)
        )),
        Ok((_, Outcome::Forgotten(tallies))) => saw(format!("forgotten: {}", (*tallies).min(2))),
        Ok((_, Outcome::StaleRemoved(subscribers, cards, dry_run))) => saw(format!(
            "stale: {} off {}, dry run: {dry_run}",
            (*subscribers).min(2),
            (*cards).min(3)
        )),
        Ok((_, Outcome::Connected(_) | Outcome::Disconnected)) => {}
    }
}

fn added_kinds(added: &Added) -> Vec<String> {
    let found = match added.matched_by {
        Some(kind) => format!("found by {kind}"),
        None => "created".to_owned(),
    };
    let place = match &added.token {
        Place::Moved(from) => format!("moved from {}", from.len().min(2)),
        place => format!("{place:?}"),
    };
    let mut kinds = vec![format!("entry: {found}, {place}")];
    if !added.skipped.is_empty() {
        kinds.push("entry: skipped".to_owned());
    }
    if !added.ignored.is_empty() {
        kinds.push("entry: ignored".to_owned());
    }
    if !added.also_held_by.is_empty() {
        kinds.push("entry: also held".to_owned());
    }
    kinds
}

fn refusal_kind(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Field(field, Fault::Placeholder) => format!("placeholder as {field}"),
        Refusal::Field(field, _) => format!("invalid {field}"),
        Refusal::Limit(limit, ..) => format!("{limit:?}"),
        Refusal::Conflict(kind, _) => format!("conflict of {kind}"),
        Refusal::ContactExists(_) => "contact exists".to_owned(),
        Refusal::UnknownContactId => "unknown contact id".to_owned(),
        Refusal::ContactIdErased(_) => "erased contact id".to_owned(),
        other => format!("{other:?}"),
    }
}

/// How many cases there are, and how many kinds of outcomes they have to see.
fn extent() -> (u32, usize) {
    if place::in_database() {
        (10, 60)
    } else {
        (300, 94)
    }
}

const STEPS: usize = 80;
const SEED: [u8; 32] = [7; 32];

#[test]
fn long_random_sequences_agree() {
    let (cases, kinds) = extent();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let seeded = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let probes = Probes::of_choices();
    let seen = RefCell::new(Kinds::new());
    let run = TestRunner::new_with_rng(config, seeded).run(&Case::bytes(), |bytes| {
        let run = Case::new(&bytes).run(&probes, &mut seen.borrow_mut());
        run.map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            panic!("seed {SEED:?}\n{:#?}\n{reason}", Case::new(&bytes))
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let seen = seen.into_inner();
    // Cases that only ever see the same few outcomes prove little.
    assert!(seen.len() >= kinds, "{} {seen:#?}", seen.len());
}

/// Contacts are merged, split and erased, so that an identifier that was merged is erased elsewhere (R44):
/// among requests of all kinds that hardly ever happens.
#[test]
fn r44_r58_random_sequences_of_merges_and_erases_agree() {
    const CASES: u64 = 60;
    const STEPS: u64 = 10;
    let mut requests = alphabet::merging();
    let merged = Request::Merge { from: 2, into: 1 };
    let split = Request::Split {
        contact: 1,
        identifiers: IdentifierKind::Phone.into(),
        subscribers: Vec::new(),
        at: None,
    };
    let begun = [alphabet::to_merge(), vec![merged, split]].concat();
    for contact in [4, 5] {
        requests.push(Request::Erase { contact });
        requests.push(Request::Suppress { contact });
    }
    for contact in [2, 3, 4] {
        for kind in [IdentifierKind::Email, IdentifierKind::Phone] {
            requests.push(Request::Split {
                contact,
                identifiers: kind.into(),
                subscribers: Vec::new(),
                at: None,
            });
        }
    }
    let probes = alphabet::probes();
    let (mut random, mut seen) = (Random(44), Kinds::new());
    for case in 0..place::share(CASES, 10) {
        let mut options = Options::default();
        options.testing.hash_mask = [u64::MAX, 0][random.below(2)];
        let mut pair = Pair::new(options);
        pair.ask(&alphabet::connect(APP, "First bot"), FIRST_AT)
            .unwrap();
        for request in &begun {
            pair.ask(request, FIRST_AT).unwrap();
        }
        for step in 1..=STEPS {
            let (request, clock) = (&requests[random.below(requests.len())], FIRST_AT + step);
            note(&pair.model.clone().apply(request, clock), &mut seen);
            pair.ask(request, clock)
                .unwrap_or_else(|difference| panic!("case {case}, step {step}: {difference}"));
        }
        pair.compare(&probes)
            .unwrap_or_else(|difference| panic!("case {case}: {difference}"));
    }
    // In a few cases it does not happen.
    let happened = seen.contains("unmerged: erased since") || place::in_database();
    assert!(happened, "{seen:#?}");
}

#[test]
fn r30_r47_forgetting_takes_a_number_for_each_step_that_removes_something() {
    // In steps of 4,096: the first and the third find something old, the second nothing.
    const MESSAGES: usize = 9_000;
    let is_old = |at: usize| !(100..8_500).contains(&at);
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
