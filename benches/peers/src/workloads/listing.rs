//! Listing: all subscribers of the app, each an owned value, in pages of 1,000.

use crate::checks;
use crate::measure::{Figures, Measured, Unit, rate, time};
use crate::people::Person;
use crate::stage::Session;

const RATE: Measured = Measured {
    workload: super::LISTING,
    measure: "rows",
    unit: Unit::PerSecond,
};

pub fn run(session: &Session, figures: &mut Figures) {
    let lists = |name: &str| name != "HashMaps";
    let sides = session.sides.iter().filter(|(name, _)| lists(name));
    for (name, side) in sides {
        checks::listing(name, &**side, (0..session.size).map(Person));
    }
    let mut samples = vec![Vec::new(); session.sides.len()];
    for round in 0..session.plan.rounds {
        for turn in session.turns(round) {
            let (name, side) = &session.sides[turn];
            if !lists(name) {
                continue;
            }
            side.read(&mut |reader| {
                let (all, rows) = time(|| checks::list(reader, &mut |_, _| {}));
                assert_eq!(rows as u64, session.size, "{name}");
                samples[turn].push(rate(rows, all));
            });
        }
    }
    for ((name, _), samples) in session.sides.iter().zip(samples) {
        if lists(name) {
            figures.add(&RATE, session.size, name, &samples);
        }
    }
}
