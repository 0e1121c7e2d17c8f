//! Ways of waiting for an answer: with a limit of time, in a task, on another thread, or not at all.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::explore::explore;
use crate::options::WhenFull;
use crate::sync::thread;
use crate::world::{Does, World, ample, and, callers, places, together};

const WOKEN: &str = "polled on one thread and woken on another";
const PANICKED: &str = "wakers that panicked";

#[test]
fn who_waits_with_a_limit_of_time_gets_the_answer_in_the_end() {
    explore(2_000, &[], |met| {
        let world = World::new(&places(1));
        together(callers(&world, 3, |world| {
            let asked = [(); 2].map(|()| world.ask(Does::Adds, WhenFull::Wait));
            for waits in asked {
                world.wait_in_parts(waits).unwrap();
            }
        }));
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 6);
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken_and_not_that_of_an_earlier_one() {
    explore(2_000, &[(WOKEN, 100)], |met| {
        let world = World::new(&ample());
        let mut waits = world.ask(Does::Adds, WhenFull::Busy);
        let mut context = Context::from_waker(Waker::noop());
        // The task goes to another thread between two polls.
        if let Poll::Ready(answer) = Pin::new(&mut waits.pending).poll(&mut context) {
            world.note_answer(waits, answer);
        } else {
            met.count(WOKEN, 1);
            let waiting = and(&world, |world| {
                world.wait(waits).unwrap();
            });
            let other = callers(&world, 1, |world| {
                world.wait(world.ask(Does::Adds, WhenFull::Busy)).unwrap();
            });
            together(other.into_iter().chain([waiting]).collect());
        }
        world.end(met);
    });
}

#[test]
fn tasks_of_a_runtime_await_their_answers() {
    explore(2_000, &[], |met| {
        let world = World::new(&places(1));
        let tasks = [(); 3].map(|()| {
            let world = crate::sync::Arc::clone(&world);
            shuttle::future::spawn(async move {
                for _ in 0..2 {
                    let mut waits = world.ask(Does::Adds, WhenFull::Wait);
                    let answer = (&mut waits.pending).await;
                    world.note_answer(waits, answer);
                }
            })
        });
        shuttle::future::block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 6);
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
fn r48_a_waker_that_panics_takes_nobody_with_it() {
    explore(1_600, &[(PANICKED, 50)], |met| {
        let world = World::new(&ample());
        let mut first = world.ask(Does::Adds, WhenFull::Busy);
        let waker = Waker::from(crate::sync::Arc::new(PanicsWhenWoken));
        let polled = Pin::new(&mut first.pending).poll(&mut Context::from_waker(&waker));
        met.count(PANICKED, u64::from(polled.is_pending()));
        together(callers(&world, 2, |world| {
            for _ in 0..2 {
                world.wait(world.ask(Does::Adds, WhenFull::Busy)).unwrap();
            }
        }));
        let answer = match polled {
            Poll::Ready(answer) => answer,
            Poll::Pending => loop {
                let limit = std::time::Duration::from_secs(1);
                if let Some(answer) = first.pending.wait_timeout(limit) {
                    break answer;
                }
            },
        };
        world.note_answer(first, answer);
        world.end(met);
        assert_eq!(world.disk.numbers().len(), 5);
    });
}

#[test]
fn a_queued_write_that_nobody_waits_for_is_done() {
    explore(1_200, &[], |met| {
        let world = World::new(&ample());
        together(callers(&world, 2, |world| {
            drop(world.ask(Does::Adds, WhenFull::Busy));
            thread::yield_now();
            drop(world.ask(Does::AddsTwice, WhenFull::Busy));
        }));
        world.end(met);
        // Closing comes after what is queued; one that goes on in another commit is answered.
        assert!(world.disk.numbers().len() >= 4);
    });
}
