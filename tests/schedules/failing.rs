//! Commits that fail under load, and reopening while others write (R49).

use shuttle::rand::Rng as _;

use crate::error::Error;
use crate::explore::explore;
use crate::model::sequence::SequenceNumber;
use crate::options::WhenFull;
use crate::storage::Fate;
use crate::world::{Does, Waits, World, ample, and, callers, is_of, together};

const IN: &str = "indeterminate and in";
const OUT: &str = "indeterminate and not in";
const REFUSED: &str = "refused until reopened";
const NOT_OPENED: &str = "reopening that failed";

/// Reopens until it succeeds.
fn reopen(world: &World) -> SequenceNumber {
    loop {
        match world.writer.reopen() {
            Ok(found) => {
                // Of one failure there is one reopening, after which everyone reads again.
                assert!(world.read().unwrap() >= found.value());
                return found;
            }
            Err(Error::Open(_)) => world.count(NOT_OPENED),
            Err(other) => panic!("{other:?}"),
        }
        let read = world.read();
        assert!(matches!(read, Ok(_) | Err(Error::NeedsReopen)), "{read:?}");
    }
}

/// Goes on asking through failures. A caller that is not told the outcome of a request reopens, and finds
/// out by the number.
fn through_failures(world: &World) {
    for _ in 0..2 {
        let asked: Vec<Waits> = (0..2)
            .map(|_| world.ask(Does::any(), WhenFull::Busy))
            .collect();
        for waits in asked {
            let (own, does) = (waits.own, waits.does);
            match world.wait(waits) {
                Err(Error::Indeterminate { sequence, .. }) if does != Does::Nothing => {
                    let found = reopen(world);
                    let numbers = world.disk.numbers();
                    let place = usize::try_from(sequence.value()).unwrap() - 1;
                    let is_in = numbers.get(place).is_some_and(|number| is_of(*number, own));
                    assert_eq!(found >= sequence, is_in, "{found} {sequence} {numbers:?}");
                    world.count(if is_in { IN } else { OUT });
                }
                Err(Error::Indeterminate { .. } | Error::NeedsReopen) => {
                    world.count(REFUSED);
                    reopen(world);
                }
                _ => {}
            }
        }
        let read = world.read();
        assert!(matches!(read, Ok(_) | Err(Error::NeedsReopen)), "{read:?}");
    }
}

#[test]
fn r49_through_a_failed_commit_everyone_learns_by_reopening_what_became_of_a_request() {
    let least = [(IN, 100), (OUT, 100), (REFUSED, 100), (NOT_OPENED, 100)];
    explore(8_000, &least, |met| {
        let mut random = shuttle::rand::thread_rng();
        let fate = if random.gen_bool(0.5) {
            Fate::Lost
        } else {
            Fate::Kept
        };
        let world = World::failing(&[(random.gen_range(1..4), fate)], random.gen_range(0..3));
        together(callers(&world, 3, through_failures));
        // Nobody may have met the failure who would have reopened.
        reopen(&world);
        world.end(met);
    });
}

#[test]
fn r49_reopening_a_sound_store_changes_nothing_for_those_who_write() {
    explore(2_000, &[], |met| {
        let world = World::new(&ample());
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..2 {
                world.wait(world.ask(Does::Adds, WhenFull::Busy)).unwrap();
                world.read().unwrap();
            }
        });
        threads.push(and(&world, |world| {
            for _ in 0..2 {
                world.writer.reopen().unwrap();
            }
        }));
        together(threads);
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 4);
    });
}

#[test]
fn r49_closing_a_store_that_needs_reopening_answers_everyone() {
    explore(2_000, &[], |met| {
        let world = World::failing(&[(1, Fate::Kept)], 1);
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..2 {
                drop(world.wait(world.ask(Does::any(), WhenFull::Wait)));
            }
        });
        threads.push(and(&world, |world| drop(world.writer.reopen())));
        threads.push(and(&world, |world| drop(world.writer.close())));
        together(threads);
        world.check(met);
    });
}
