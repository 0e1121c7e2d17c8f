//! Power cuts at every point (R46): whatever a disk kept of what was not synced, the file opens by
//! itself, and holds all that was acknowledged and nothing by halves.

mod creation;
pub mod disk;
mod exhaustive;
mod extents;
pub mod image;
mod lying_disks;
mod order;
pub mod promises;
pub mod recovery;
mod tales;
mod traffic;
mod vacuum;

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::support::cases::{Cases, long_form, watched};
use image::{Cut, Keep};
use recovery::{
    Also, Counts, FOUND_BEFORE, FOUND_BEGUN, FOUND_BETWEEN, IMAGES, IN_RECOVERY, Images,
    RECOVERIES_TO_THE_NEWER, REPEATED, Truth, count, named,
};
use tales::Tale;
use traffic::Play;

const POINTS: &str = "points";

/// One point of a trace.
struct Point {
    images: Arc<Images>,
    cut: Cut,
    /// `None` while the file has no name yet.
    allowed: Option<RangeInclusive<u64>>,
    marks: Vec<&'static str>,
}

impl Point {
    fn check(&self) -> Counts {
        let mut counts = Counts::new();
        let Some(allowed) = &self.allowed else {
            self.images.check_half_made(&self.cut, &mut counts);
            return counts;
        };
        let at = self.cut.count;
        for (kind, keep) in Keep::all(at as u64, 2).enumerate() {
            let also = Also {
                reopen: (at + kind).is_multiple_of(8),
                cut_again: if (at + kind).is_multiple_of(16) { 2 } else { 0 },
            };
            let image = self.cut.image(keep);
            let check = || {
                self.images
                    .check(&image, allowed.clone(), also, &mut counts)
            };
            if named(&format!("{keep:?}"), check) {
                for mark in &self.marks {
                    count(&mut counts, mark);
                }
            }
            if self.cut.is_synced() {
                break;
            }
        }
        counts
    }
}

/// Plays a tale, and cuts the power at every event.
fn cut_everywhere(cases: &Cases, tale: Tale) {
    let name = tale.name;
    let played = watched(&name, move || {
        let mut play = Play::create(tale.options);
        tale.steps.iter().for_each(|step| play.step(step));
        play.close()
    });
    let truth = Truth::new(played.models, tales::probes(), played.options);
    let truth = truth.and_keyed(played.keyed);
    let images = Arc::new(Images::of(truth));
    for cut in played.trace.cuts() {
        cases.count(POINTS, 1);
        let at = cut.count;
        let marks = played.marks.iter().filter(|(span, _)| span.contains(&at));
        let point = Point {
            images: Arc::clone(&images),
            allowed: played.trace.promises.at(at),
            marks: marks.map(|(_, mark)| *mark).collect(),
            cut,
        };
        let name = format!("{name}, cut after event {at}");
        let counts = cases.run(&name, move || point.check());
        for (what, times) in counts.unwrap_or_default() {
            cases.count(what, times);
        }
    }
}

/// Tales made at random, from one seed to before another, and some that are told each time.
fn cut_tales(told: Vec<Tale>, seeds: std::ops::Range<u64>) {
    let cases = Cases::new();
    for tale in told.into_iter().chain(seeds.map(tales::random)) {
        cut_everywhere(&cases, tale);
    }
    cases.finish(&[
        (POINTS, if long_form() { 40_000 } else { 1_400 }),
        (IMAGES, 10_000),
        (IN_RECOVERY, 3_500),
        (RECOVERIES_TO_THE_NEWER, 50),
        ("images in the first write after recovery", 500),
        (FOUND_BEFORE, 5_000),
        (FOUND_BEGUN, 100),
        (FOUND_BETWEEN, 20),
        ("further writes found again", 1_000),
        ("creations cut, and refused", 20),
        ("creations cut, and whole", 20),
        ("connecting", 1_000),
        ("disconnecting and sweeping", 200),
        ("adding tokens", 1_000),
        ("reporting", 150),
        ("upserting", 300),
        ("removing a token", 100),
        ("renaming a token", 50),
        ("erasing", 150),
        ("forgetting messages", 50),
        ("removing stale subscribers", 25),
        ("listing a conflict", 50),
        ("with a conflict that ends", 50),
        ("under an idempotency key", 50),
        (REPEATED, 500),
        ("in a group", 1_000),
        ("of racing threads", 300),
        ("closing and opening", 100),
        ("opening after a kill", 2),
        ("in a commit that made the file grow", 50),
        ("with contacts that share an index row", 500),
        ("with a refused neighbour", 500),
        ("folding the indexes", 300),
        ("removing a token and adding it again in one group", 50),
        ("erasing the last contact of a token", 20),
    ]);
}

#[test]
fn r46_a_power_cut_in_any_traffic_takes_nothing_that_was_acknowledged() {
    let seeds = if long_form() { 0..100 } else { 0..3 };
    cut_tales(vec![tales::rare_states(0), tales::racing_threads(7)], seeds);
}

#[test]
fn r46_a_power_cut_in_any_other_traffic_takes_nothing_that_was_acknowledged() {
    let seeds = if long_form() { 100..200 } else { 102..104 };
    cut_tales(
        vec![tales::rare_states(u64::MAX), tales::racing_threads(6)],
        seeds,
    );
}
