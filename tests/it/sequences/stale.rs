//! Removing stale subscribers in several steps, in the store and in the model (R62, R47).

use contact_store::Options;

use super::Pair;
use crate::model::{Add, Entry, Given, Outcome, Probes, Request};
use crate::support::{APP, assert_sound};

/// What is registered before this time is removed.
const BEFORE: u64 = 2_000;

/// Subscribers, ten to a contact. `is_old` says of each whether it is stale.
fn pair_of(subscribers: usize, is_old: impl Fn(usize) -> bool) -> Pair {
    let mut pair = Pair::new(Options::default());
    let connect = Request::Connect {
        app: APP,
        name: "First bot".to_owned(),
        key: None,
    };
    pair.ask(&connect, BEFORE).unwrap();
    let all: Vec<usize> = (0..subscribers).collect();
    for some in all.chunk_by(|a, b| is_old(*a) == is_old(*b)) {
        for some in some.chunks(3_000) {
            let entry = |n: &usize| {
                let given = Given::default().external(&format!("crm-{}", n / 10));
                Entry::new(&format!("t-{n}"), given)
            };
            let mut add = Add::new(APP, some.iter().map(entry).collect());
            add.at = some.first().map(|n| BEFORE - u64::from(is_old(*n)));
            pair.ask(&Request::Add(add), BEFORE).unwrap();
        }
    }
    pair
}

/// Counts and then removes what is stale, which takes this many numbers.
#[track_caller]
fn is_removed_with(mut pair: Pair, numbers: u64, subscribers: u64) {
    let before = pair.model.sequence();
    for (dry_run, sequence) in [(true, before), (false, before + numbers)] {
        let remove = Request::RemoveStale {
            app: APP,
            before: BEFORE,
            dry_run,
        };
        let outcome = Outcome::StaleRemoved(subscribers, subscribers, dry_run);
        let expected = Ok((sequence, outcome));
        assert_eq!(remove.submit(&pair.store).wait(), expected);
        assert_eq!(pair.model.apply(&remove, BEFORE), expected);
    }
    let probes = Probes {
        page: 1_000,
        ..Probes::of_choices()
    };
    pair.compare(&probes).unwrap();
    assert_sound(&pair.store);
}

#[test]
fn r62_r47_a_step_looks_at_a_bounded_number_of_subscribers() {
    let old_at_both_ends = |n| !(50..4_100).contains(&n);
    is_removed_with(pair_of(4_200, old_at_both_ends), 2, 150);
    // The first step sees none of them.
    is_removed_with(pair_of(4_200, |n| n >= 4_100), 1, 100);
}

#[test]
fn r62_r47_a_step_removes_a_bounded_number_of_subscribers() {
    is_removed_with(pair_of(2_500, |_| true), 3, 2_500);
    // The third step finds no more, and takes no number.
    is_removed_with(pair_of(2_000, |_| true), 2, 2_000);
}
