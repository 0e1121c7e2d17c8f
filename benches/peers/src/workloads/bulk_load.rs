//! Bulk load: new people in requests of 3,000 entries, each request durable, identifiers in random
//! order. contact-store has two requests under way, which its API offers to one caller.

use std::time::Duration;

use crate::checks;
use crate::children;
use crate::disk;
use crate::measure::{Figures, Measured, Unit, rate, time};
use crate::sides::{BATCH, Opening};
use crate::stage::{BASELINE, Stage, requests};

const RATE: Measured = Measured {
    workload: super::BULK_LOAD,
    measure: "rate",
    unit: Unit::PerSecond,
};

/// Fills the stores of all sides, block by block in turn.
pub fn load(stage: &Stage, figures: &mut Figures) {
    let sides: Vec<_> = stage
        .filling()
        .map(|kind| {
            let directory = stage.loaded(kind.name);
            disk::empty(&directory);
            let tried = (kind.open)(&directory, Opening::Default);
            checks::a_short_history(kind.name, &*tried);
            tried.close();
            disk::empty(&directory);
            (kind.name, (kind.open)(&directory, Opening::Default))
        })
        .collect();
    let mut took = vec![Vec::new(); sides.len()];
    let block = (stage.size / 20).next_multiple_of(BATCH).max(4 * BATCH);
    for (round, first) in (0..stage.size).step_by(block as usize).enumerate() {
        let people = first..stage.size.min(first + block);
        for turn in 0..sides.len() {
            let turn = (turn + round) % sides.len();
            let requests = requests(people.clone());
            let (all, ()) = time(|| sides[turn].1.load(requests));
            took[turn].push((people.end - people.start, all));
        }
    }
    for ((name, side), blocks) in sides.into_iter().zip(took) {
        let all: Duration = blocks.iter().map(|(_, took)| *took).sum();
        let rates = blocks
            .iter()
            .map(|(count, took)| rate(*count as usize, *took));
        let rates: Vec<f64> = rates.collect();
        figures.add_whole(
            &RATE,
            stage.size,
            name,
            rate(stage.size as usize, all),
            &rates,
        );
        checks::everybody(name, &*side, 0..stage.size, stage.plan.checked);
        checks::counts(name, &*side, stage.size, 0);
        side.close();
    }
    if let Some(program) = stage.baseline {
        let directory = stage.loaded(BASELINE);
        disk::empty(&directory);
        let took = children::load(program, &directory, stage.size);
        figures.add(
            &RATE,
            stage.size,
            BASELINE,
            &[rate(stage.size as usize, took)],
        );
    }
    for kind in stage.durable().filter(|kind| kind.is_variant()) {
        disk::copy(&stage.loaded(kind.files_of), &stage.loaded(kind.name));
    }
}
