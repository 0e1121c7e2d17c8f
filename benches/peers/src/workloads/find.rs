//! Look-ups, from text to the whole card. In each round all sides look up the same people, whom none
//! of them looked up in an earlier round but by chance.

use std::hint::black_box;

use crate::checks::{self, STRANGERS};
use crate::measure::{Figures, Measured, Unit, each, time};
use crate::people::{Given, Person, Zipf, mix};
use crate::sides::Reader;
use crate::stage::Session;

pub fn by_external_id(session: &Session, figures: &mut Figures) {
    given(session, figures, super::FIND_EXTERNAL_ID, |person| {
        (person.by_external_id(), Some(person))
    });
}

pub fn by_phone(session: &Session, figures: &mut Figures) {
    given(session, figures, super::FIND_PHONE, |person| {
        (person.by_phone(), Some(person))
    });
}

pub fn uniform(session: &Session, figures: &mut Figures) {
    given(session, figures, super::FIND_UNIFORM, |person| {
        (person.by_email(), Some(person))
    });
}

pub fn zipf(session: &Session, figures: &mut Figures) {
    let zipf = Zipf::new(session.size, 0.99);
    let draw = |number| {
        let person = Person(zipf.draw(mix(number)));
        (person.by_email(), Some(person))
    };
    look_up(session, figures, super::FIND_ZIPF, draw, find);
}

pub fn miss_one(session: &Session, figures: &mut Figures) {
    given(session, figures, super::MISS_ONE, |person| {
        (Person(STRANGERS + person.0).by_email(), None)
    });
}

pub fn miss_three(session: &Session, figures: &mut Figures) {
    given(session, figures, super::MISS_THREE, |person| {
        (Person(STRANGERS + person.0).by_all(), None)
    });
}

pub fn cascade(session: &Session, figures: &mut Figures) {
    given(session, figures, super::CASCADE, |person| {
        (checks::cascade(person), Some(person))
    });
}

pub fn by_contact_id(session: &Session, figures: &mut Figures) {
    let draw = |number| {
        let person = Person(mix(number) % session.size);
        (person.contact_id(), Some(person))
    };
    let find = |reader: &mut dyn Reader, id: &u64| reader.contact(*id);
    look_up(session, figures, super::FIND_CONTACT_ID, draw, find);
}

pub fn by_token(session: &Session, figures: &mut Figures) {
    let draw = |number| {
        let person = Person(mix(number) % session.size);
        (person.token(), None)
    };
    // Sides number their subscribers as they like, so there must be some id.
    let find = |reader: &mut dyn Reader, token: &String| {
        let id = reader.subscriber(token);
        assert!(id.is_some());
        None
    };
    let maps = |name: &&str| *name != "HashMaps";
    look_up_on(session, figures, super::FIND_TOKEN, draw, find, maps);
}

fn find(reader: &mut dyn Reader, given: &Given) -> Option<u64> {
    reader.find(given)
}

/// Looks up people drawn uniformly.
fn given(
    session: &Session,
    figures: &mut Figures,
    workload: &'static str,
    of: impl Fn(Person) -> (Given, Option<Person>),
) {
    let draw = |number| of(Person(mix(number) % session.size));
    look_up(session, figures, workload, draw, find);
}

fn look_up<T>(
    session: &Session,
    figures: &mut Figures,
    workload: &'static str,
    draw: impl Fn(u64) -> (T, Option<Person>),
    find: impl Fn(&mut dyn Reader, &T) -> Option<u64>,
) {
    look_up_on(session, figures, workload, draw, find, |_| true);
}

/// Times `find` on the sides that `takes_part` names, round by round in turn. `draw` gives what is
/// looked up and whom it must find.
fn look_up_on<T>(
    session: &Session,
    figures: &mut Figures,
    workload: &'static str,
    draw: impl Fn(u64) -> (T, Option<Person>),
    find: impl Fn(&mut dyn Reader, &T) -> Option<u64>,
    takes_part: impl Fn(&&str) -> bool,
) {
    let plan = session.plan;
    let mut samples = vec![Vec::new(); session.sides.len()];
    // The first round is not timed, but compared one by one.
    for round in 0..=plan.rounds {
        let count = if round == 0 { plan.warming } else { plan.finds };
        let numbers = (0..count).map(|number| number + (round + 1) * (1 << 32));
        let (keys, people): (Vec<T>, Vec<_>) = numbers.map(&draw).unzip();
        let expected = |person: &Option<Person>| person.map(Person::contact_id);
        let sum: u64 = people.iter().filter_map(expected).sum();
        for turn in session.turns(round) {
            let (name, side) = &session.sides[turn];
            if !takes_part(name) {
                continue;
            }
            side.read(&mut |reader| {
                if round == 0 {
                    for (key, person) in keys.iter().zip(&people) {
                        assert_eq!(find(reader, key), expected(person), "{name}, {workload}");
                    }
                    return;
                }
                let (all, found) = time(|| {
                    let found = keys.iter().map(|key| find(reader, black_box(key)));
                    found.map(|id| id.unwrap_or(0)).sum::<u64>()
                });
                assert_eq!(found, sum, "{name}, {workload}");
                samples[turn].push(each(all, keys.len()));
            });
        }
    }
    let measured = Measured {
        workload,
        measure: "time",
        unit: Unit::Nanoseconds,
    };
    for ((name, _), samples) in session.sides.iter().zip(samples) {
        if takes_part(name) {
            figures.add(&measured, session.size, name, &samples);
        }
    }
}
