//! Callers who share commits (R46–R48).

use crate::cases::Cases;
use crate::explore::explore;
use crate::options::WhenFull;
use crate::storage::Disk;
use crate::world::{Does, OLDER, Waits, World, ample, and, callers, together};

const SHARED: &str = "commits that were shared";

/// Asks one after another, and reads what was written.
fn one_by_one(world: &World) {
    for _ in 0..3 {
        let told = world.wait(world.ask(Does::any(), WhenFull::Busy));
        let read = world.read().unwrap();
        if let Ok(committed) = told {
            assert!(read >= committed.sequence.value());
        }
    }
}

/// Asks for all before it waits for any.
fn in_a_burst(world: &World) {
    let asked: Vec<Waits> = (0..3)
        .map(|_| world.ask(Does::any(), WhenFull::Busy))
        .collect();
    for waits in asked {
        drop(world.wait(waits));
    }
}

#[test]
fn r46_to_r48_callers_are_answered_in_one_order_and_read_what_is_durable() {
    explore(6_000, &[(SHARED, 100), (OLDER, 100)], |met| {
        // Something is swept meanwhile.
        let world = World::on(Disk::new(2, &[], 0), &ample());
        let mut threads = callers(&world, 2, one_by_one);
        threads.extend(callers(&world, 1, in_a_burst));
        together(threads);
        count_shared(&world, met);
        world.end(met);
    });
}

fn count_shared(world: &World, met: &Cases) {
    let (stats, needs_reopen, _) = world.writer.stats().unwrap();
    assert!(!needs_reopen);
    // A request is counted before it is answered.
    let operations = stats.operations();
    let counted = operations.iter().map(|of| of.accepted + of.refused);
    assert_eq!(counted.sum::<u64>(), 9);
    met.count(SHARED, u64::from(stats.group_sizes().max > 1));
}

#[test]
fn r48_of_requests_that_share_a_commit_only_the_refused_and_the_panicking_are_refused() {
    explore(4_000, &[(SHARED, 300)], |met| {
        let world = World::new(&ample());
        let mut threads = callers(&world, 2, in_a_burst);
        threads.push(and(&world, |world| {
            for does in [Does::Panics, Does::Adds, Does::IsRefused] {
                drop(world.wait(world.ask(does, WhenFull::Busy)));
            }
        }));
        together(threads);
        let shared = world.writer.stats().unwrap().0.group_sizes().max > 1;
        met.count(SHARED, u64::from(shared));
        world.end(met);
    });
}

// What a disconnected app left is removed although nobody asks for anything (R11).
#[test]
fn r11_sweeping_goes_on_without_requests_and_ends() {
    explore(800, &[], |met| {
        let world = World::on(Disk::new(3, &[], 0), &ample());
        while world.disk.leaving() > 0 {
            crate::sync::thread::yield_now();
        }
        drop(world.wait(world.ask(Does::Adds, WhenFull::Busy)));
        assert_eq!(world.disk.commits(), 4);
        world.end(met);
    });
}
