//! Waiting for changes: nobody that waits is forgotten, however the writer's steps lie (R60).

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use contact_store::ChangePosition;

use crate::error::Error;
use crate::explore::explore;
use crate::options::WhenFull;
use crate::storage::{Fate, Rows as _};
use crate::sync::{Arc, thread};
use crate::world::{Does, World, ample, and, callers, together};

const IN_TIME: &str = "waits that were over before they began";
const TIMED_OUT: &str = "waits that were given up for a while";
const PANICKED: &str = "wakers that panicked";

fn add(world: &World) {
    world.wait(world.ask(Does::Adds, WhenFull::Busy)).unwrap();
}

/// Follows the store until it has `last` numbers, or a wait is answered with an error.
fn follow(world: &World, last: u64, by_turns: bool) -> Result<(), Error> {
    let mut read_to = ChangePosition::START;
    loop {
        let mut wait = world.writer.wait_for_changes(read_to);
        if by_turns {
            loop {
                if let Some(answer) = wait.wait_timeout(Duration::from_secs(1)) {
                    answer?;
                    break;
                }
                world.count(TIMED_OUT);
            }
        } else {
            wait.wait()?;
        }
        let sequence = world.writer.committed()?.state().sequence;
        let position = ChangePosition::parse(&sequence.to_string()).unwrap();
        assert!(position > read_to, "woken without a change");
        read_to = position;
        if sequence.value() >= last {
            return Ok(());
        }
    }
}

#[test]
fn r60_who_waits_is_woken_by_the_commit_that_it_waits_for() {
    explore(2_000, &[(TIMED_OUT, 20)], |met| {
        let world = World::new(&ample());
        let mut threads = callers(&world, 2, |world| {
            add(world);
            add(world);
        });
        threads.push(and(&world, |world| follow(world, 4, false).unwrap()));
        threads.push(and(&world, |world| follow(world, 4, true).unwrap()));
        together(threads);
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 4);
    });
}

/// Follows the store for ever. Gives the error that ends it.
fn end(world: &World) -> Error {
    follow(world, u64::MAX, false).unwrap_err()
}

#[test]
fn r60_r49_a_failed_commit_answers_those_who_wait() {
    explore(1_500, &[], |met| {
        let world = World::failing(&[(2, Fate::Lost)], 0);
        let mut threads = callers(&world, 2, |world| {
            for _ in 0..2 {
                drop(world.wait(world.ask(Does::Adds, WhenFull::Busy)));
            }
        });
        threads.push(and(&world, |world| {
            let error = end(world);
            assert!(matches!(error, Error::NeedsReopen), "{error:?}");
        }));
        // One commit may hold all four: then none failed, and the next one does.
        threads.push(and(&world, |world| {
            while !world.writer.needs_reopen().unwrap() {
                drop(world.wait(world.ask(Does::Adds, WhenFull::Busy)));
            }
        }));
        together(threads);
        world.end(met);
    });
}

#[test]
fn r60_r49_closing_answers_those_who_wait() {
    explore(1_500, &[], |met| {
        let world = World::new(&ample());
        let mut threads = callers(&world, 2, |world| {
            let error = end(world);
            assert!(matches!(error, Error::Closed), "{error:?}");
        });
        threads.push(and(&world, |world| {
            add(world);
            drop(world.writer.close());
        }));
        together(threads);
        world.check(met);
    });
}

struct PanicsWhenWoken;

impl Wake for PanicsWhenWoken {
    fn wake(self: std::sync::Arc<Self>) {
        // Unwinding without a message, which would only clutter the output of the tests.
        std::panic::resume_unwind(Box::new(()));
    }
}

#[test]
fn r60_a_waker_that_panics_and_a_wait_that_is_dropped_hold_up_nobody() {
    explore(1_500, &[(PANICKED, 50), (IN_TIME, 1)], |met| {
        let world = World::new(&ample());
        let adding = and(&world, add);
        let polling = and(&world, |world| {
            let waker = Waker::from(Arc::new(PanicsWhenWoken));
            let mut wait = world.writer.wait_for_changes(ChangePosition::START);
            let polled = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
            let counted = if polled.is_pending() {
                PANICKED
            } else {
                IN_TIME
            };
            world.count(counted);
            if let Poll::Ready(answer) = polled {
                answer.unwrap();
            }
            thread::yield_now();
        });
        let waiting = and(&world, |world| follow(world, 2, false).unwrap());
        together(vec![adding, polling, waiting, and(&world, add)]);
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 2);
    });
}
