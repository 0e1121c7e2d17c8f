//! A full queue: who is refused, who waits for a place, and who withdraws (RULES section 11).

use std::time::Duration;

use crate::cases::Cases;
use crate::error::Error;
use crate::explore::explore;
use crate::limits::Limits;
use crate::operations::operation::Size;
use crate::options::WhenFull;
use crate::sync::Arc;
use crate::world::{Does, Waits, World, and, callers, places, together};

const BUSY: &str = "busy";
const IN_THE_LOBBY: &str = "seen in the lobby";
const WITHDRAWN: &str = "withdrawn in time";
const TOO_LATE: &str = "withdrawn too late";

#[test]
fn everyone_who_waits_for_a_place_is_let_in_and_answered() {
    explore(6_000, &[(IN_THE_LOBBY, 100)], |met| {
        let world = World::new(&places(1));
        together(callers(&world, 3, |world| {
            let asked: Vec<Waits> = (0..2)
                .map(|_| world.ask(Does::Adds, WhenFull::Wait))
                .collect();
            if world.writer.load().lobby > 0 {
                world.count(IN_THE_LOBBY);
            }
            for waits in asked {
                world.wait(waits).unwrap();
            }
        }));
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 6);
    });
}

#[test]
fn who_does_not_wait_for_a_place_is_told_that_all_are_taken() {
    explore(4_000, &[(BUSY, 200)], |met| {
        let world = World::new(&places(2));
        together(callers(&world, 3, |world| {
            let asked: Vec<Waits> = (0..3)
                .map(|_| world.ask(Does::any(), WhenFull::Busy))
                .collect();
            for waits in asked {
                if let Err(Error::Busy {
                    waiting_requests, ..
                }) = world.wait(waits)
                {
                    assert_eq!(waiting_requests, 2);
                    world.count(BUSY);
                }
            }
        }));
        world.end(met);
    });
}

#[test]
fn dropping_a_pending_write_withdraws_it_from_the_lobby_and_lets_the_others_in() {
    explore(6_000, &[(WITHDRAWN, 100), (TOO_LATE, 100)], |met| {
        let world = World::new(&places(1));
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..2 {
                world.wait(world.ask(Does::Adds, WhenFull::Wait)).unwrap();
            }
        });
        threads.push(and(&world, |world| {
            for _ in 0..2 {
                drop(world.ask(Does::Adds, WhenFull::Wait));
            }
            world.wait(world.ask(Does::Adds, WhenFull::Wait)).unwrap();
        }));
        together(threads);
        world.end(met);
        // All that was waited for, and what was not withdrawn in time.
        let added = world.disk.numbers().len();
        assert!((5..=7).contains(&added), "{added}");
        met.count(WITHDRAWN, 7 - added as u64);
        met.count(TOO_LATE, added as u64 - 5);
    });
}

/// A world in which a commit is held up, so that what is asked then waits, and the one that is held.
fn held_up(limits: &Limits) -> (Arc<World>, Waits) {
    let world = World::new(limits);
    world.disk.shut();
    let first = world.ask(Does::Adds, WhenFull::Busy);
    world.disk.wait_until_held();
    (world, first)
}

fn of_size(world: &World, when_full: WhenFull, (entries, text_bytes): (usize, usize)) -> Waits {
    let size = Size {
        entries,
        text_bytes,
    };
    world.ask_of_size(Does::Adds, when_full, size)
}

/// Refused immediately, with how much waits.
#[track_caller]
fn assert_busy(world: &World, size: (usize, usize), requests: usize, text_bytes: usize) {
    let mut waits = of_size(world, WhenFull::Busy, size);
    match waits.pending.wait_timeout(Duration::ZERO) {
        Some(Err(Error::Busy {
            waiting_requests,
            waiting_text_bytes,
        })) => assert_eq!(
            (waiting_requests, waiting_text_bytes),
            (requests, text_bytes)
        ),
        other => panic!("{other:?}"),
    }
}

/// Lets the commit go on, waits for all, and gives how many requests shared each commit.
fn let_go(world: &World, all: Vec<Waits>, met: &Cases) -> u64 {
    let before = world.disk.commits();
    world.disk.open();
    for waits in all {
        world.wait(waits).unwrap();
    }
    // Without the one that was held up.
    let commits = world.disk.commits() - before - 1;
    world.end(met);
    commits
}

fn always(scenario: fn(&Cases)) {
    explore(100, &[], scenario);
}

#[test]
fn a_full_queue_says_how_full_it_is() {
    always(|met| {
        let (world, first) = held_up(&places(2));
        let waiting = [10, 10].map(|text| of_size(&world, WhenFull::Busy, (1, text)));
        assert_busy(&world, (1, 10), 2, 20);
        let_go(&world, [first].into_iter().chain(waiting).collect(), met);
    });
}

#[test]
fn text_is_bounded_as_well_but_one_request_always_fits() {
    always(|met| {
        let mut limits = places(10);
        limits.waiting_text_bytes = 100;
        let (world, first) = held_up(&limits);
        let large = of_size(&world, WhenFull::Busy, (1, 500));
        assert_busy(&world, (1, 1), 1, 500);
        let_go(&world, vec![first, large], met);
    });
}

#[test]
fn nobody_overtakes_the_lobby() {
    always(|met| {
        let mut limits = places(10);
        limits.waiting_text_bytes = 100;
        let (world, first) = held_up(&limits);
        let queued = of_size(&world, WhenFull::Wait, (1, 60));
        // It does not fit, and the small one after it would.
        let large = of_size(&world, WhenFull::Wait, (1, 60));
        let small = of_size(&world, WhenFull::Wait, (1, 1));
        assert_busy(&world, (1, 1), 1, 60);
        let load = world.writer.load();
        assert_eq!((load.requests, load.text_bytes, load.lobby), (1, 60, 2));
        let_go(&world, vec![first, queued, large, small], met);
        // In the order in which they were asked for; the one in between was refused.
        assert_eq!(world.disk.numbers(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_withdrawn_request_is_never_decided() {
    always(|met| {
        let (world, first) = held_up(&places(1));
        let queued = of_size(&world, WhenFull::Wait, (1, 0));
        drop(of_size(&world, WhenFull::Wait, (1, 0)));
        assert_eq!(world.writer.load().lobby, 0);
        let last = of_size(&world, WhenFull::Wait, (1, 0));
        let_go(&world, vec![first, queued, last], met);
        assert_eq!(world.disk.numbers(), [0, 1, 3]);
    });
}

/// How many commits requests of these sizes take that wait together.
#[track_caller]
fn assert_commits(met: &Cases, sizes: &[(usize, usize)], commits: u64) {
    let mut limits = places(10);
    limits.waiting_text_bytes = 100 << 20;
    let (world, first) = held_up(&limits);
    let waiting = sizes
        .iter()
        .map(|size| of_size(&world, WhenFull::Busy, *size));
    let all = [first].into_iter().chain(waiting).collect();
    assert_eq!(let_go(&world, all, met), commits);
}

#[test]
fn a_commit_takes_at_least_one_request_and_no_more_than_its_bounds() {
    always(|met| {
        // 5,000 alone; 4,000 and 96; 1.
        assert_commits(met, &[(5_000, 0), (4_000, 0), (96, 0), (1, 0)], 3);
        assert_commits(met, &[(1, 3 << 20), (1, 2 << 20), (1, 1)], 2);
        assert_commits(met, &[(1, 2 << 20), (1, 2 << 20), (1, 0)], 1);
    });
}
