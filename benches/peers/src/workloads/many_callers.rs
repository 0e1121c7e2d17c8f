//! 64 durable callers, each on a thread of its own, one request after the other: somebody new with
//! three identifiers and a token in each.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::checks;
use crate::measure::{Figures, Measured, Unit, percentile, rate, time};
use crate::people::Person;
use crate::sides::raw::{RAW, Raw};
use crate::stage::Session;

const CALLERS: u64 = 64;

const fn measured(measure: &'static str, unit: Unit) -> Measured {
    Measured {
        workload: super::MANY_CALLERS,
        measure,
        unit,
    }
}

/// What one round came to.
struct Round {
    all: Duration,
    latencies: Vec<Duration>,
}

pub fn run(session: &mut Session, figures: &mut Figures) {
    let file = session.directory.join("raw");
    let raw = Raw::create(&file);
    let each = session.plan.adds_of_each;
    let mut rounds: Vec<Vec<Round>> = session.sides.iter().map(|_| Vec::new()).collect();
    let mut of_raw = Vec::new();
    for round in 0..session.plan.rounds {
        let strangers = session.strangers(CALLERS * each);
        for turn in session.turns(round) {
            let side = &session.sides[turn].1;
            let add = |number| {
                let request = vec![Person(number).entry()];
                time(|| side.add(request)).0
            };
            rounds[turn].push(together(strangers.start, each, add));
        }
        of_raw.push(together(0, each, |_| time(|| raw.write()).0));
    }
    for ((name, side), rounds) in session.sides.iter().zip(rounds) {
        let added = session.next - session.plan.rounds * CALLERS * each..session.next;
        checks::everybody(name, &**side, added, session.plan.checked);
        checks::counts(name, &**side, session.next, 0);
        record(figures, session.size, name, rounds);
    }
    record(figures, session.size, RAW, of_raw);
    std::fs::remove_file(file).unwrap();
}

/// All callers at once, each with as many numbers of its own from `first` on.
fn together(first: u64, each: u64, call: impl Fn(u64) -> Duration + Sync) -> Round {
    let ready = Barrier::new(CALLERS as usize + 1);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (ready, call) = (&ready, &call);
                let numbers = first + caller * each..first + (caller + 1) * each;
                scope.spawn(move || {
                    ready.wait();
                    numbers.map(call).collect::<Vec<Duration>>()
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        let latencies = callers
            .into_iter()
            .flat_map(|caller| caller.join().unwrap());
        let latencies = latencies.collect();
        Round {
            all: start.elapsed(),
            latencies,
        }
    })
}

/// The figures of all rounds together, with those of each.
fn record(figures: &mut Figures, size: u64, side: &str, mut rounds: Vec<Round>) {
    let mut latencies: Vec<Duration> = Vec::new();
    rounds
        .iter()
        .for_each(|round| latencies.extend(&round.latencies));
    let all = rounds.iter().map(|round| round.all).sum();
    let rates: Vec<f64> = rounds
        .iter()
        .map(|round| rate(round.latencies.len(), round.all))
        .collect();
    let of = measured("rate", Unit::PerSecond);
    figures.add_whole(&of, size, side, rate(latencies.len(), all), &rates);
    for (measure, share) in [("p50", 0.5), ("p99", 0.99)] {
        let of = measured(measure, Unit::Microseconds);
        let parts = rounds
            .iter_mut()
            .map(|round| percentile(&mut round.latencies, share));
        let parts: Vec<f64> = parts.collect();
        figures.add_whole(&of, size, side, percentile(&mut latencies, share), &parts);
    }
}
