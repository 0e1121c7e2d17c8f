//! One durable caller: somebody new with three identifiers and a token, one request after the other.
//! Beside it what a page costs that is written and synced with no store around it.

use std::time::Duration;

use crate::checks;
use crate::measure::{Figures, Measured, Unit, percentile, rate, time};
use crate::people::Person;
use crate::sides::raw::{RAW, Raw};
use crate::stage::Session;

const fn measured(measure: &'static str, unit: Unit) -> Measured {
    Measured {
        workload: super::ONE_CALLER,
        measure,
        unit,
    }
}

pub fn run(session: &mut Session, figures: &mut Figures) {
    let file = session.directory.join("raw");
    let raw = Raw::create(&file);
    let mut latencies = vec![Vec::new(); session.sides.len()];
    let mut of_raw = Vec::new();
    for round in 0..session.plan.rounds {
        let strangers = session.strangers(session.plan.adds);
        for turn in session.turns(round) {
            let side = &session.sides[turn].1;
            let add = |number| {
                let request = vec![Person(number).entry()];
                time(|| side.add(request)).0
            };
            latencies[turn].push(strangers.clone().map(add).collect());
        }
        of_raw.push(strangers.map(|_| time(|| raw.write()).0).collect());
    }
    for ((name, side), rounds) in session.sides.iter().zip(latencies) {
        let added = session.next - session.plan.rounds * session.plan.adds..session.next;
        checks::everybody(name, &**side, added, session.plan.checked);
        checks::counts(name, &**side, session.next, 0);
        record(figures, session.size, name, rounds);
    }
    record(figures, session.size, RAW, of_raw);
    std::fs::remove_file(file).unwrap();
}

/// The figures of all rounds together, with those of each.
fn record(figures: &mut Figures, size: u64, side: &str, mut rounds: Vec<Vec<Duration>>) {
    let mut all = rounds.concat();
    let each = |latencies: &Vec<Duration>| rate(latencies.len(), latencies.iter().sum());
    let rates: Vec<f64> = rounds.iter().map(each).collect();
    let of = measured("rate", Unit::PerSecond);
    figures.add_whole(&of, size, side, each(&all), &rates);
    for (measure, share) in [("p50", 0.5), ("p99", 0.99)] {
        let of = measured(measure, Unit::Microseconds);
        let parts = rounds.iter_mut().map(|round| percentile(round, share));
        let parts: Vec<f64> = parts.collect();
        figures.add_whole(&of, size, side, percentile(&mut all, share), &parts);
    }
}
