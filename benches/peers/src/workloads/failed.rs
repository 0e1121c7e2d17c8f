//! FAILED sweep: a broadcast went to every subscriber in the order of the listing, and comes back as
//! FAILED for 100,000 of them (half of them in smaller stores), evenly spread, in requests of 3,000.

use std::time::Duration;

use crate::checks;
use crate::measure::{Figures, Measured, Unit, rate, time};
use crate::people::{Known, Person};
use crate::sides::BATCH;
use crate::stage::Session;

const MOST: u64 = 100_000;

const RATE: Measured = Measured {
    workload: super::FAILED,
    measure: "rate",
    unit: Unit::PerSecond,
};

pub fn run(session: &mut Session, figures: &mut Figures) {
    let count = MOST.min(session.size / 2);
    let step = session.size / count;
    let people: Vec<Person> = (0..count).map(|number| Person(number * step)).collect();
    let mut took = vec![Vec::new(); session.sides.len()];
    for (round, batch) in people.chunks(BATCH as usize).enumerate() {
        for turn in session.turns(round as u64) {
            let (name, side) = &session.sides[turn];
            let tokens = batch.iter().map(|person| person.token()).collect();
            let (all, removed) = time(|| side.failed(tokens));
            assert_eq!(removed, batch.len(), "{name}");
            took[turn].push((batch.len(), all));
        }
    }
    for ((name, side), batches) in session.sides.iter().zip(took) {
        checks::counts(name, &**side, session.next, count);
        side.read(&mut |reader| {
            for person in &people {
                let without = Known {
                    tokens: Vec::new(),
                    ..person.known()
                };
                assert_eq!(reader.known(&person.by_email()), Some(without), "{name}");
                assert_eq!(reader.subscriber(&person.token()), None, "{name}");
            }
        });
        let removed = |number: u64| number.is_multiple_of(step) && number / step < count;
        let left = (0..session.next).filter(|number| !removed(*number));
        checks::listing(name, &**side, left.map(Person));
        let all: Duration = batches.iter().map(|(_, took)| *took).sum();
        let rates = batches.iter().map(|(count, took)| rate(*count, *took));
        let rates: Vec<f64> = rates.collect();
        figures.add_whole(&RATE, session.size, name, rate(count as usize, all), &rates);
    }
}
