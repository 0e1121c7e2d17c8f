//! Two sides measured in alternation, so that whatever else the machine does meets both.

use std::time::{Duration, Instant};

/// What two sides took for one thing done, and how they compare.
pub struct Compared {
    /// Nanoseconds, the median of all rounds.
    pub ours: f64,
    /// Nanoseconds, the median of all rounds.
    pub other: f64,
    /// Ours to the other: the median of the ratios of each round.
    pub ratio: f64,
}

/// Runs the two sides in turn, each first in every other round. A side answers how many
/// nanoseconds one thing took.
pub fn compare(
    rounds: usize,
    mut ours: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) -> Compared {
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds {
        pairs.push(if round % 2 == 0 {
            let mine = ours();
            (mine, other())
        } else {
            let theirs = other();
            (ours(), theirs)
        });
    }
    Compared {
        ours: median(pairs.iter().map(|(ours, _)| *ours)),
        other: median(pairs.iter().map(|(_, other)| *other)),
        ratio: median(pairs.iter().map(|(ours, other)| ours / other)),
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds for each call of `call`, which gets the items one by one.
pub fn nanoseconds<T>(items: &[T], call: impl FnMut(&T)) -> f64 {
    let start = Instant::now();
    items.iter().for_each(call);
    each(start.elapsed(), items.len())
}

/// Nanoseconds for each of `times` things that took `all` together.
pub fn each(all: Duration, times: usize) -> f64 {
    all.as_secs_f64() * 1e9 / times as f64
}
