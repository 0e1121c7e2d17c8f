//! Copies that take the place of the file while others write (R67).

use shuttle::rand::Rng as _;

use crate::error::Error;
use crate::explore::explore;
use crate::options::WhenFull;
use crate::storage::{Fate, Successor};
use crate::world::{Does, World, ample, and, callers, together};

const REPLACED: &str = "files replaced";
const SECOND: &str = "second followers refused";
const LOST: &str = "copies given up after a failed commit";

/// Copies the store and puts the copy in its place, as a vacuum does.
fn replace(world: &World) -> Result<(), Error> {
    let Some(following) = world.writer.follow() else {
        world.count(SECOND);
        return Ok(());
    };
    let rounds = shuttle::rand::thread_rng().gen_range(0..3);
    let copy = Successor::copy(&following, rounds)?;
    following.replace(copy)?;
    world.count(REPLACED);
    Ok(())
}

#[test]
fn r67_a_copy_has_all_that_was_acknowledged_when_it_takes_the_place_of_the_file() {
    let least = [(REPLACED, 2_000), (SECOND, 50)];
    explore(4_000, &least, |met| {
        let world = World::new(&ample());
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..3 {
                drop(world.wait(world.ask(Does::any(), WhenFull::Busy)));
                world.read().unwrap();
            }
        });
        for _ in 0..2 {
            threads.push(and(&world, |world| replace(world).unwrap()));
        }
        together(threads);
        world.end(met);
    });
}

#[test]
fn r49_r67_a_copy_that_was_followed_through_a_failed_commit_takes_no_place() {
    let least = [(REPLACED, 100), (LOST, 500)];
    explore(4_000, &least, |met| {
        let mut random = shuttle::rand::thread_rng();
        let fate = if random.gen_bool(0.5) {
            Fate::Lost
        } else {
            Fate::Kept
        };
        let world = World::failing(&[(random.gen_range(1..4), fate)], 0);
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..3 {
                if world.wait(world.ask(Does::Adds, WhenFull::Busy)).is_err() {
                    world.writer.reopen().unwrap();
                }
            }
        });
        threads.push(and(&world, |world| match replace(world) {
            Ok(()) => {}
            Err(Error::NeedsReopen) => world.count(LOST),
            Err(other) => panic!("{other:?}"),
        }));
        together(threads);
        world.writer.reopen().unwrap();
        world.end(met);
    });
}
