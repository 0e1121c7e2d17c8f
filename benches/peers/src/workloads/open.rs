//! Opening, to the first find answered, each time in a process of its own: a store that was closed
//! cleanly, trusted and verified, and one whose process was killed while it wrote.

use std::path::PathBuf;

use crate::children;
use crate::measure::{Figures, Measured, Unit};
use crate::sides::Opening;
use crate::sides::contact_store::OURS;
use crate::stage::{BASELINE, Stage};

/// The measures: how the store was closed and is opened.
pub const CLEAN: &str = "clean";
pub const VERIFIED: &str = "verified";
pub const UNCLEAN: &str = "unclean";

/// A side as a program opens it.
struct Opened<'a> {
    name: &'a str,
    program: PathBuf,
    side: &'a str,
    verifies: bool,
    directory: PathBuf,
}

pub fn run(stage: &Stage, figures: &mut Figures) {
    let this = std::env::current_exe().unwrap();
    let mut opened: Vec<Opened> = stage
        .filling()
        .map(|kind| Opened {
            name: kind.name,
            program: this.clone(),
            side: kind.name,
            verifies: kind.verifies,
            directory: stage.copy(kind.name),
        })
        .collect();
    if let Some(program) = stage.baseline {
        opened.push(Opened {
            name: BASELINE,
            program: program.to_owned(),
            side: OURS,
            verifies: true,
            directory: stage.copy(BASELINE),
        });
    }
    let checked = 0..stage.size.min(1_000);
    in_turn(stage, figures, CLEAN, &opened, |of, _| {
        open(of, Opening::Trusting, checked.clone())
    });
    let (verifying, _): (Vec<_>, Vec<_>) = opened.iter().partition(|of| of.verifies);
    in_turn(stage, figures, VERIFIED, &verifying, |of, _| {
        open(of, Opening::Verified, checked.clone())
    });
    // A store that can verify does so after a kill, whatever it is asked for.
    let mut next = vec![stage.size; opened.len()];
    in_turn(stage, figures, UNCLEAN, &opened, |of, turn| {
        let first = next[turn];
        let requests = stage.plan.requests;
        let written =
            children::write_until_killed(&of.program, of.side, &of.directory, first, requests);
        // Some may be in that were not acknowledged in time.
        next[turn] = first + children::reserved(requests);
        open(of, Opening::Trusting, first..first + written)
    });
    stage.remove_copies();
}

fn open(of: &Opened, opening: Opening, people: std::ops::Range<u64>) -> f64 {
    let took = children::open(&of.program, of.side, &of.directory, opening, people);
    took.as_secs_f64() * 1e3
}

/// Opens the sides in turn, and records in how many milliseconds.
fn in_turn<'a, T: std::borrow::Borrow<Opened<'a>>>(
    stage: &Stage,
    figures: &mut Figures,
    measure: &'static str,
    opened: &[T],
    mut open: impl FnMut(&Opened, usize) -> f64,
) {
    let mut samples = vec![Vec::new(); opened.len()];
    for round in 0..stage.plan.openings as usize {
        for turn in 0..opened.len() {
            let turn = (turn + round) % opened.len();
            samples[turn].push(open(opened[turn].borrow(), turn));
        }
    }
    let measured = Measured {
        workload: super::OPEN,
        measure,
        unit: Unit::Milliseconds,
    };
    for (of, samples) in opened.iter().zip(samples) {
        figures.add(&measured, stage.size, of.borrow().name, &samples);
    }
}
