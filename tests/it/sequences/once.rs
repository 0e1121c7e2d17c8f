//! A client that repeats any of its requests at any time, under their idempotency keys, leaves the same
//! store as one that repeats none (R64).

use contact_store::{ContactStore, IdempotencyKey, KeepAnswers};

use super::{Place, alphabet};
use crate::model::{Answer, Request};
use crate::support::everything::Everything;
use crate::support::place;
use crate::support::random::Random;
use crate::support::{APP, OTHER_APP, assert_sound, at, options};

/// How many sequences there are, of how many requests each.
const SEQUENCES: u64 = 40;
const REQUESTS: usize = 30;

fn alphabet() -> Vec<Request> {
    [
        alphabet::tokens(),
        alphabet::contacts(),
        alphabet::mutes(),
        alphabet::blocks(),
        alphabet::suppressions(),
        alphabet::merging(),
        alphabet::conflicts(),
    ]
    .concat()
}

fn ask_once(store: &ContactStore, number: usize, request: &Request) -> Answer {
    let key = IdempotencyKey::parse(format!("request {number}")).unwrap();
    request.submit(&store.once(&key)).wait()
}

#[test]
fn r64_requests_that_are_repeated_at_any_time_leave_the_same_store_as_those_that_are_not() {
    let requests = alphabet();
    let mut repeated = 0;
    for seed in 0..place::share(SEQUENCES, 4) {
        let mut random = Random(seed);
        let (mut options, clock) = options();
        options.remember_blocked = 100;
        options.conflicts = 100;
        let plain = place::open_new(options.clone()).unwrap();
        options.keep_answers = Some(KeepAnswers::default());
        let place = Place::new();
        let mut keyed = place.open(&options);
        let mut done: Vec<(usize, Request, Answer)> = Vec::new();
        let connects = [(APP, "First bot"), (OTHER_APP, "Second bot")]
            .map(|(app, name)| alphabet::connect(app, name));
        for number in 0..REQUESTS {
            clock.set(at(2_000 + 1_000 * number as u64));
            let request = match connects.get(number) {
                Some(connect) => connect.clone(),
                None => requests[random.below(requests.len())].clone(),
            };
            let answer = ask_once(&keyed, number, &request);
            let once = request.submit(&plain).wait();
            // Numbers differ: under a key, a request that changes nothing takes one.
            let outcome = |answer: &Answer| answer.clone().map(|(_, outcome)| outcome);
            assert_eq!(outcome(&answer), outcome(&once), "{seed}: {request:?}");
            if answer.is_ok() {
                done.push((number, request, answer));
            }
            if random.below(8) == 0 {
                keyed.close().unwrap();
                keyed = place.open(&options);
            }
            while !done.is_empty() && random.coin() {
                let (number, request, first) = &done[random.below(done.len())];
                let again = ask_once(&keyed, *number, request);
                assert_eq!(again, *first, "{seed}: {request:?}");
                repeated += 1;
            }
        }
        assert_sound(&keyed);
        let mut shown = Everything::of(&keyed.snapshot().unwrap());
        let expected = Everything::of(&plain.snapshot().unwrap());
        assert!(shown.sequence >= expected.sequence);
        shown.sequence = expected.sequence;
        assert!(shown == expected, "{seed}: the stores differ");
        let answers = keyed.stats().unwrap().answers.unwrap();
        assert_eq!(answers.kept, done.len() as u64);
    }
    assert!(repeated > place::share(500, 50), "{repeated}");
}
