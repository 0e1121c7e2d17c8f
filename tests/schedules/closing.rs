//! Closing, at any moment and by anyone: everybody is answered (R49).

use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::error::{Error, StorageError};
use crate::explore::explore;
use crate::options::WhenFull;
use crate::storage::Fate;
use crate::sync::Arc;
use crate::sync::thread;
use crate::world::{Does, Waits, World, and, callers, places, together};

const CLOSED: &str = "answered that the store is closed";
const ANSWERED: &str = "answered before";
const BY_WRITER: &str = "closed on the writer's own thread";

/// Asks for all, waits for all, and reads, whatever becomes of it.
fn until_it_is_closed(world: &World) {
    let asked: Vec<Waits> = (0..3)
        .map(|_| world.ask(Does::any(), WhenFull::Wait))
        .collect();
    for waits in asked {
        match world.wait(waits) {
            Err(Error::Closed) => world.count(CLOSED),
            _ => world.count(ANSWERED),
        }
        let read = world.read();
        assert!(matches!(read, Ok(_) | Err(Error::Closed)), "{read:?}");
    }
}

/// All is as a closed store says.
fn assert_closed(world: &World) {
    assert!(world.disk.is_closed());
    let asked = world.wait(world.ask(Does::Adds, WhenFull::Wait));
    assert!(matches!(asked, Err(Error::Closed)), "{asked:?}");
    assert!(matches!(world.writer.reopen(), Err(Error::Closed)));
    assert!(matches!(world.read(), Err(Error::Closed)));
    assert!(matches!(world.writer.stats(), Err(Error::Closed)));
    assert!(world.writer.close().is_ok());
}

#[test]
fn r49_closing_answers_everyone_and_then_everything_is_closed() {
    explore(6_000, &[(CLOSED, 500), (ANSWERED, 500)], |met| {
        let world = World::new(&places(2));
        let mut threads = callers(&world, 2, until_it_is_closed);
        threads.push(and(&world, |world| {
            let reopened = world.writer.reopen();
            assert!(
                matches!(reopened, Ok(_) | Err(Error::Closed)),
                "{reopened:?}"
            );
        }));
        threads.push(and(&world, |world| {
            world.writer.close().unwrap();
            assert_closed(world);
        }));
        together(threads);
        world.check(met);
    });
}

#[test]
fn r49_two_close_at_once_and_both_return_when_the_file_is_closed() {
    explore(3_200, &[(CLOSED, 100), (ANSWERED, 100)], |met| {
        let world = World::new(&places(1));
        let mut threads = callers(&world, 1, until_it_is_closed);
        threads.extend(callers(&world, 2, |world| {
            world.writer.close().unwrap();
            assert_closed(world);
        }));
        together(threads);
        world.check(met);
    });
}

// Those in the lobby have no place, and are told that the store is closed.
#[test]
fn r49_callers_that_still_wait_when_the_last_handle_goes_are_answered() {
    explore(3_200, &[(CLOSED, 100), (ANSWERED, 100)], |met| {
        let world = World::new(&places(1));
        let disk = Arc::clone(&world.disk);
        let asked: Vec<Waits> = (0..3)
            .map(|_| world.ask(Does::Adds, WhenFull::Wait))
            .collect();
        let waiting = thread::spawn(move || {
            let answers = asked.into_iter().map(|waits| waits.pending.wait());
            answers.collect::<Vec<_>>()
        });
        let drops = callers(&world, 2, |world| drop(world.read()));
        drop(world);
        together(drops);
        let answers = waiting.join().unwrap();
        assert!(disk.is_closed());
        let numbers = disk.numbers();
        // In the order of asking, and none after one that was closed out.
        for (at, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(committed) => {
                    assert_eq!(committed.sequence.value(), at as u64 + 1);
                    assert_eq!(numbers[at], at as u64);
                    met.count(ANSWERED, 1);
                }
                Err(Error::Closed) => {
                    assert!(at >= numbers.len());
                    met.count(CLOSED, 1);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    });
}

/// A task that closes the store when it is woken, on whichever thread that is.
struct ClosesWhenWoken {
    world: Arc<World>,
    closed: AtomicBool,
}

impl Wake for ClosesWhenWoken {
    fn wake(self: std::sync::Arc<Self>) {
        self.world.writer.close().unwrap();
        self.closed.store(true, Ordering::SeqCst);
    }
}

#[test]
fn r49_a_task_that_closes_the_store_on_the_writers_own_thread_does_not_wait_for_itself() {
    explore(2_000, &[(CLOSED, 50), (BY_WRITER, 100)], |met| {
        let world = World::new(&places(1));
        let mut first = world.ask(Does::Adds, WhenFull::Wait);
        let other = callers(&world, 1, until_it_is_closed).remove(0);
        let other = thread::spawn(other);
        let closes = Arc::new(ClosesWhenWoken {
            world: Arc::clone(&world),
            closed: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&closes));
        let answer = match Pin::new(&mut first.pending).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => {
                world.writer.close().unwrap();
                answer
            }
            Poll::Pending => {
                met.count(BY_WRITER, 1);
                while !closes.closed.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                first.pending.wait_timeout(Duration::ZERO).unwrap()
            }
        };
        other.join().unwrap();
        // On the writer's own thread, closing returns before the file is closed.
        while !world.disk.is_closed() {
            thread::yield_now();
        }
        world.note_answer(first, answer);
        world.check(met);
    });
}

// A defect of the writer must not leave anyone waiting.
#[test]
fn r49_when_the_writer_panics_everyone_is_answered_and_closing_says_so() {
    explore(3_200, &[(CLOSED, 100)], |met| {
        let world = World::failing(&[(2, Fate::Panics)], 0);
        let mut threads = callers(&world, 2, until_it_is_closed);
        threads.push(and(&world, |world| drop(world.writer.reopen())));
        together(threads);
        let panicked = world.disk.commits() >= 2;
        let closed = world.writer.close();
        match closed {
            Err(Error::CloseIncomplete(StorageError::Panicked)) => assert!(panicked),
            Ok(()) => assert!(!panicked),
            other => panic!("{other:?}"),
        }
        world.check(met);
    });
}
