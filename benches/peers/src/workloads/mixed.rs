//! Reads and writes mixed: four threads, of whose calls 95 in 100 find somebody by email and 5 add
//! somebody new, durably.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::checks;
use crate::measure::{Figures, Measured, Unit, rate};
use crate::people::{Person, mix};
use crate::sides::Side;
use crate::stage::Session;

const THREADS: u64 = 4;
/// One call in so many adds.
const ADDS: u64 = 20;

const RATE: Measured = Measured {
    workload: super::MIXED,
    measure: "rate",
    unit: Unit::PerSecond,
};

pub fn run(session: &mut Session, figures: &mut Figures) {
    let calls = session.plan.mixed;
    let adds = calls / ADDS;
    let mut rates = vec![Vec::new(); session.sides.len()];
    for round in 0..session.plan.rounds {
        let strangers = session.strangers(THREADS * adds);
        for turn in session.turns(round) {
            let side = &*session.sides[turn].1;
            rates[turn].push(together(side, session.size, round, strangers.start, calls));
        }
    }
    for ((name, side), rates) in session.sides.iter().zip(rates) {
        let added = session.next - session.plan.rounds * THREADS * adds..session.next;
        checks::everybody(name, &**side, added, session.plan.checked);
        checks::counts(name, &**side, session.next, 0);
        figures.add(&RATE, session.size, name, &rates);
    }
}

/// Calls a second of all threads.
fn together(side: &dyn Side, size: u64, round: u64, first: u64, calls: u64) -> f64 {
    let ready = Barrier::new(THREADS as usize + 1);
    let all = thread::scope(|scope| {
        for thread in 0..THREADS {
            let ready = &ready;
            let mut stranger = first + thread * (calls / ADDS);
            scope.spawn(move || {
                side.read(&mut |reader| {
                    ready.wait();
                    for call in 0..calls {
                        if call % ADDS == ADDS - 1 {
                            side.add(vec![Person(stranger).entry()]);
                            stranger += 1;
                            continue;
                        }
                        let number = call | thread << 24 | round << 32;
                        let person = Person(mix(number) % size);
                        let found = reader.find(&person.by_email());
                        assert_eq!(found, Some(person.contact_id()));
                    }
                });
            });
        }
        ready.wait();
        Instant::now()
    });
    rate((THREADS * calls) as usize, all.elapsed())
}
