//! Callers that add people one by one, each answer durable.

use std::collections::VecDeque;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{ContactStore, Pending};

use super::people::Person;
use super::{assert_created, request};

/// How many add at the same time.
pub const CALLERS: u64 = 64;

/// Adds the token of somebody new, and waits.
pub fn add(store: &ContactStore, person: Person) {
    let added = store.add_tokens(request([person])).wait().unwrap();
    assert_created(&added.outcome);
}

/// One caller adds `count` people, from `first` on.
pub fn one_caller(store: &ContactStore, first: u64, count: u64) -> Duration {
    let start = Instant::now();
    for number in first..first + count {
        add(store, Person(number));
    }
    start.elapsed()
}

/// 64 callers add `count` people each, on a thread each.
pub fn many_callers(store: &ContactStore, first: u64, count: u64) -> Duration {
    let ready = Barrier::new(CALLERS as usize + 1);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (ready, first) = (&ready, first + caller * count);
            scope.spawn(move || {
                ready.wait();
                one_caller(store, first, count);
            });
        }
        ready.wait();
        Instant::now()
    })
    .elapsed()
}

/// One thread makes `count` requests, and has 64 of them under way.
pub fn under_way<T>(count: u64, begin: impl Fn(u64) -> Pending<T>, check: impl Fn(T)) -> Duration {
    let start = Instant::now();
    let mut begun: VecDeque<Pending<T>> = VecDeque::new();
    for number in 0..count {
        if begun.len() as u64 == CALLERS {
            check(begun.pop_front().unwrap().wait().unwrap().outcome);
        }
        begun.push_back(begin(number));
    }
    for pending in begun {
        check(pending.wait().unwrap().outcome);
    }
    start.elapsed()
}
