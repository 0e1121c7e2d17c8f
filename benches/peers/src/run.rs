//! A run: each size of store, on it each group of sides, on those each workload.

use crate::arguments::Arguments;
use crate::disk;
use crate::machine;
use crate::measure::Figures;
use crate::plan::Plan;
use crate::sides::contact_store::OURS;
use crate::sides::{self, Kind};
use crate::stage::Stage;
use crate::workloads::{self, BULK_LOAD, Run, WORKLOADS};

/// Up to here all sides are measured in turn. Larger stores do not all fit into memory, so one side is
/// measured after the other.
const IN_TURN: u64 = 1_000_000;

/// The load of the machine when something began.
pub struct Load {
    pub size: u64,
    pub what: String,
    pub load: String,
}

pub fn run(arguments: &Arguments) -> (Figures, Vec<Load>) {
    let mut kinds = sides::all();
    kinds.retain(|kind| arguments.asks_for_side(kind.name));
    let mut figures = Figures::default();
    let mut loads = Vec::new();
    for size in &arguments.sizes {
        for group in groups(&kinds, *size) {
            let has_ours = group.iter().any(|kind| kind.name == OURS);
            let stage = Stage {
                size: *size,
                plan: Plan::of(*size, arguments.quick),
                kinds: group,
                directory: arguments.directory.join(size.to_string()),
                baseline: arguments.baseline.as_deref().filter(|_| has_ours),
            };
            run_stage(&stage, arguments, &mut figures, &mut loads);
            disk::remove(&stage.directory);
        }
    }
    (figures, loads)
}

/// Sides that are open at the same time.
fn groups(kinds: &[Kind], size: u64) -> Vec<Vec<&Kind>> {
    if size <= IN_TURN {
        return vec![kinds.iter().collect()];
    }
    let filling = kinds.iter().filter(|kind| !kind.is_variant());
    filling
        .map(|of| {
            let with_variants = kinds.iter().filter(|kind| kind.files_of == of.name);
            with_variants.collect()
        })
        .collect()
}

fn run_stage(stage: &Stage, arguments: &Arguments, figures: &mut Figures, loads: &mut Vec<Load>) {
    let mut note = |what: &str| {
        let load = machine::load();
        println!("{} contacts, {what} (load {load})", stage.size);
        loads.push(Load {
            size: stage.size,
            what: what.to_owned(),
            load,
        });
    };
    let asked = || WORKLOADS.iter().filter(|it| arguments.asks_for(it.name));
    disk::empty(&stage.directory);

    note(BULK_LOAD);
    let mut loaded = Figures::default();
    workloads::load(stage, &mut loaded);
    // Nothing that is timed later waits for what was written here.
    rustix::fs::sync();
    if arguments.asks_for(BULK_LOAD) {
        figures.0.append(&mut loaded.0);
    }

    for workload in asked() {
        if let Run::Loaded(run) = workload.run {
            note(workload.name);
            run(stage, figures);
        }
    }
    if asked().any(|it| matches!(it.run, Run::Reading(_))) {
        let session = stage.open_loaded();
        for workload in asked() {
            if let Run::Reading(run) = workload.run {
                note(workload.name);
                run(&session, figures);
            }
        }
        session.close();
    }
    if asked().any(|it| matches!(it.run, Run::Writing(_))) {
        let mut session = stage.open_copies();
        for workload in asked() {
            if let Run::Writing(run) = workload.run
                && !session.sides.is_empty()
            {
                note(workload.name);
                run(&mut session, figures);
            }
        }
        session.close();
        stage.remove_copies();
    }
    for workload in asked() {
        if let Run::Copies(run) = workload.run {
            note(workload.name);
            run(stage, figures);
        }
    }
}
