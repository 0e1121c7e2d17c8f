//! All sequences of up to three requests over a small alphabet.

use contact_store::{MatchPolicy, Options, Ownership};

use crate::model::{Model, Probes, Request};
use crate::support::place;
use crate::support::{APP, OTHER_APP, fold_always};

use super::Pair;
use super::alphabet::{self, FIRST_AT, connect};

/// How long sequences are: shorter in a database, where each store takes some milliseconds.
fn length() -> usize {
    if place::in_database() { 2 } else { 3 }
}

/// How many sequences there have to be at least, of those that there are elsewhere.
fn least(elsewhere: usize) -> usize {
    if place::in_database() {
        elsewhere / 300
    } else {
        elsewhere
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
    fn new(alphabet: Vec<Request>, options: Options) -> (Self, Pair) {
        Walk::after(&[], alphabet, options)
    }

    /// The same with a store of which these requests were made first.
    fn after(made: &[Request], alphabet: Vec<Request>, options: Options) -> (Self, Pair) {
        let mut pair = Pair::new(options);
        for (app, name) in [(APP, "First bot"), (OTHER_APP, "Second bot")] {
            pair.ask(&connect(app, name), FIRST_AT - 1_000).unwrap();
        }
        for (request, at) in made.iter().zip(FIRST_AT - 1_000..) {
            pair.ask(request, at).unwrap();
        }
        let walk = Walk {
            alphabet,
            probes: alphabet::probes(),
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
        let place = if path.iter().sum::<usize>().is_multiple_of(2) {
            pair.close()
        } else {
            pair.kill()
        };
        for at in changing.into_iter().step_by(place::one_of(4)) {
            let path = [path, &[at]].concat();
            let mut pair = Pair::open(place.copy(), &self.options, model.clone());
            let asked = pair.ask(&self.alphabet[at], clock);
            self.check(&path, asked);
            if path.len() < length() {
                self.follow(&path, pair);
            } else {
                self.check(&path, pair.compare(&self.probes));
            }
        }
    }

    /// Checks every sequence of three, made of a copy of the store, whose requests share
    /// one commit: what a later one reads of an earlier one is not in any table yet, and what a
    /// refused one wrote is rolled back from among the others.
    ///
    /// Those that go on with a request that changes nothing share a store.
    fn share_commits(&mut self, pair: Pair) {
        let clock = FIRST_AT;
        let mut played = (0..place::one_of(200)).cycle();
        let model = &pair.model.clone();
        let place = pair.close();
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
                    if played.next() != Some(0) {
                        continue;
                    }
                    let mut pair = Pair::open(place.copy(), &self.options, model.clone());
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
        let gate = pair.place.shut();
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

fn options(policy: MatchPolicy, ownership: Ownership, hash_mask: u64) -> Options {
    let mut options = Options::default();
    options.policy = policy;
    options.ownership = ownership;
    options.testing.hash_mask = hash_mask;
    // What is in buckets and nowhere else is part of the short sequences, too.
    if ownership == Ownership::Exclusive {
        fold_always(&mut options);
        options.index_memory = if hash_mask == 0 { 0 } else { 2_000 };
    }
    options
}

/// Checks all short sequences of these requests.
fn check_all(alphabet: Vec<Request>, options: Options) {
    check_at_least(7, alphabet, options);
}

/// The same for an alphabet many of whose requests change nothing at first.
fn check_at_least(times: usize, alphabet: Vec<Request>, options: Options) {
    let elsewhere = alphabet.len().pow(2) * times;
    let (mut walk, pair) = Walk::new(alphabet, options);
    walk.follow(&[], pair);
    // A walk that sees little proves little.
    assert!(
        walk.sequences > least(elsewhere),
        "{} sequences",
        walk.sequences
    );
}

fn check_all_in_one_commit(alphabet: Vec<Request>, options: Options) {
    check_at_least_in_one_commit(7, alphabet, options);
}

fn check_at_least_in_one_commit(times: usize, alphabet: Vec<Request>, options: Options) {
    let elsewhere = alphabet.len().pow(2) * times;
    let (mut walk, pair) = Walk::new(alphabet, options);
    walk.share_commits(pair);
    assert!(
        walk.sequences > least(elsewhere),
        "{} sequences",
        walk.sequences
    );
}

#[test]
fn all_short_sequences_agree_under_cascade_and_shared() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    check_all(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_under_cascade_and_exclusive() {
    let options = options(MatchPolicy::Cascade, Ownership::Exclusive, u64::MAX);
    check_all(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_under_top_priority_and_shared() {
    let options = options(MatchPolicy::TopPriority, Ownership::Shared, u64::MAX);
    check_all(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_under_top_priority_and_exclusive() {
    let options = options(MatchPolicy::TopPriority, Ownership::Exclusive, u64::MAX);
    check_all(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_when_all_of_a_kind_share_one_index_row() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, 0);
    check_all(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_in_one_commit() {
    let options = options(MatchPolicy::TopPriority, Ownership::Shared, u64::MAX);
    check_all_in_one_commit(alphabet::tokens(), options);
}

#[test]
fn all_short_sequences_agree_in_one_commit_when_all_of_a_kind_share_one_index_row() {
    let options = options(MatchPolicy::Cascade, Ownership::Exclusive, 0);
    check_all_in_one_commit(alphabet::tokens(), options);
}

// R59.

#[test]
fn all_short_sequences_with_mutes_agree() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    check_at_least(3, alphabet::mutes(), options);
}

#[test]
fn all_short_sequences_with_mutes_agree_in_one_commit() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, 0);
    check_at_least_in_one_commit(3, alphabet::mutes(), options);
}

// R65.

#[test]
fn all_short_sequences_with_suppressions_agree() {
    let mut options = options(MatchPolicy::TopPriority, Ownership::Shared, 0);
    options.limits.suppressed_identifiers = 3;
    check_at_least(3, alphabet::suppressions(), options);
}

#[test]
fn all_short_sequences_with_suppressions_agree_in_one_commit() {
    let mut options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    options.limits.suppressed_identifiers = 3;
    check_at_least_in_one_commit(3, alphabet::suppressions(), options);
}

// R63.

#[test]
fn all_short_sequences_with_tokens_that_come_back_agree() {
    let mut options = options(MatchPolicy::Cascade, Ownership::Shared, 0);
    options.remember_blocked = 2;
    check_at_least(3, alphabet::blocks(), options);
}

#[test]
fn all_short_sequences_with_tokens_that_come_back_agree_in_one_commit() {
    let mut options = options(MatchPolicy::Cascade, Ownership::Exclusive, u64::MAX);
    options.remember_blocked = 1;
    check_at_least_in_one_commit(3, alphabet::blocks(), options);
}

// R41, R42: the policy and who owns tokens do not matter to an upsert.

#[test]
fn all_short_sequences_with_upserts_agree() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    check_all(alphabet::contacts(), options);
}

#[test]
fn all_short_sequences_with_upserts_agree_when_all_of_a_kind_share_one_index_row() {
    let options = options(MatchPolicy::TopPriority, Ownership::Exclusive, 0);
    check_all(alphabet::contacts(), options);
}

#[test]
fn all_short_sequences_with_upserts_agree_in_one_commit() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, 0);
    check_all_in_one_commit(alphabet::contacts(), options);
}

// R58.

#[test]
fn r58_all_short_sequences_with_merges_agree() {
    let options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    let (mut walk, pair) = Walk::after(&alphabet::to_merge(), alphabet::merging(), options);
    walk.follow(&[], pair);
    assert!(
        walk.sequences > least(1_500),
        "{} sequences",
        walk.sequences
    );
}

#[test]
fn r58_all_short_sequences_with_merges_agree_in_one_commit() {
    let options = options(MatchPolicy::Cascade, Ownership::Exclusive, 0);
    let (mut walk, pair) = Walk::after(&alphabet::to_merge(), alphabet::merging(), options);
    walk.share_commits(pair);
    assert!(
        walk.sequences > least(1_500),
        "{} sequences",
        walk.sequences
    );
}

// R61.

#[test]
fn r61_all_short_sequences_with_conflicts_agree() {
    let mut options = options(MatchPolicy::Cascade, Ownership::Shared, u64::MAX);
    options.conflicts = 2;
    let (mut walk, pair) = Walk::after(&alphabet::to_conflict(), alphabet::conflicts(), options);
    walk.follow(&[], pair);
    assert!(walk.sequences > least(500), "{} sequences", walk.sequences);
}

#[test]
fn r61_all_short_sequences_with_conflicts_agree_in_one_commit() {
    let mut options = options(MatchPolicy::Cascade, Ownership::Shared, 0);
    options.conflicts = 100;
    let (mut walk, pair) = Walk::after(&alphabet::to_conflict(), alphabet::conflicts(), options);
    walk.share_commits(pair);
    assert!(walk.sequences > least(500), "{} sequences", walk.sequences);
}
