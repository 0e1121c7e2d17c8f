//! Small histories, of which it is searched whether any order of their requests and reads explains
//! what was answered, without trusting a sequence number; and then one that the numbers agree with
//! (R46, R47).
//!
//! The search tries what could have come next, as far as the ticks say, until everything is in
//! order, and does not try again what led to the same state before (Wing and Gong, with the memory
//! of Lowe). The seed of a history says what its threads ask for, not which comes first.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use contact_store::{ContactStore, MatchPolicy};

use crate::model::{Answer, Model, Names, Outcome, Question, Refused, Request, Shown};
use crate::sequences::{Place, alphabet};
use crate::support::APP;
use crate::support::cases::{CASES, Cases, each_seed, long_form};
use crate::support::place;
use crate::support::random::Random;

use super::{CLOCK, Ticks, connected, options};

const THREADS: usize = 3;
const OPERATIONS: usize = 5;

/// Something that was done, and what came of it.
#[derive(Clone, Debug)]
enum Did {
    Asked(Request, Answer),
    /// A look at the state of a number.
    Looked(Question, u64, Shown),
}

/// The same with the ticks before and after.
#[derive(Clone, Debug)]
struct Event {
    began: u64,
    ended: u64,
    did: Did,
}

impl Event {
    /// The state after this, if it could happen at `state`. With `numbered`, also its number is
    /// right.
    fn follows(&self, state: &Model, numbered: bool) -> Option<Model> {
        match &self.did {
            Did::Asked(request, answer) => {
                let mut after = state.clone();
                let expected = after.apply(request, CLOCK);
                let is_so = if numbered {
                    *answer == expected
                } else {
                    outcome(answer) == outcome(&expected)
                };
                is_so.then_some(after)
            }
            Did::Looked(question, number, shown) => {
                let is_so = (!numbered || *number == state.sequence())
                    && question.ask_model(state) == *shown;
                is_so.then(|| state.clone())
            }
        }
    }
}

/// An answer without its number.
fn outcome(answer: &Answer) -> Result<&Outcome, &Refused> {
    answer.as_ref().map(|(_, outcome)| outcome)
}

/// A search for an order.
struct Search<'e> {
    events: &'e [Event],
    numbered: bool,
    /// For each set of events in order, the states that they led to and nothing came after.
    ended: BTreeMap<u32, Vec<Model>>,
    steps: u64,
}

impl<'e> Search<'e> {
    /// Whether some order of all events, from this state on, explains them. Gives the steps it took.
    fn finds(events: &'e [Event], state: &Model, numbered: bool) -> (bool, u64) {
        let mut search = Search {
            events,
            numbered,
            ended: BTreeMap::new(),
            steps: 0,
        };
        let found = search.from(0, state);
        (found, search.steps)
    }

    fn from(&mut self, in_order: u32, state: &Model) -> bool {
        let left = |at: &usize| in_order & 1 << at == 0;
        let all_left: Vec<usize> = (0..self.events.len()).filter(left).collect();
        // What began after something else had ended comes after it.
        let Some(first_end) = all_left.iter().map(|at| self.events[*at].ended).min() else {
            return true;
        };
        let ended = self.ended.entry(in_order).or_default();
        if ended.contains(state) {
            return false;
        }
        ended.push(state.clone());
        for at in all_left {
            let event = &self.events[at];
            if event.began > first_end {
                continue;
            }
            self.steps += 1;
            if let Some(after) = event.follows(state, self.numbered)
                && self.from(in_order | 1 << at, &after)
            {
                return true;
            }
        }
        false
    }
}

/// What the threads ask for: few values, so that they meet.
struct Choice {
    requests: Vec<Request>,
    questions: Vec<Question>,
}

impl Choice {
    fn new() -> Self {
        let mut requests = alphabet::tokens();
        requests.extend(alphabet::contacts());
        // Without its app, nothing else would be met any more.
        requests.retain(|request| !matches!(request, Request::Disconnect { .. }));
        let find = |names| Question::Find(names, MatchPolicy::Cascade);
        Choice {
            requests,
            questions: vec![
                find(Names::email("ann@example.com")),
                find(Names::phone(380_500_000_001)),
                find(Names::email("ben@example.com")),
                Question::Card(1),
                Question::SubscriberByToken(APP, "t-1".to_owned()),
                Question::Apps,
            ],
        }
    }

    fn request(&self, random: &mut Random) -> Request {
        self.requests[random.below(self.requests.len())].clone()
    }

    fn question(&self, random: &mut Random) -> Question {
        self.questions[random.below(self.questions.len())].clone()
    }
}

/// A store with both apps connected, and the model of it.
struct Start {
    place: Place,
    model: Model,
    choice: Choice,
}

impl Start {
    fn new() -> Self {
        let place = Place::new();
        let model = connected(&place.open(&options()), "First bot", "Second bot");
        Start {
            place: place.copy(),
            model,
            choice: Choice::new(),
        }
    }

    /// Lets the threads of a seed loose on a store, and gives what they did.
    fn play(&self, seed: u64) -> Vec<Event> {
        let place = self.place.copy();
        let stores = place.open_for(THREADS, &options());
        let (ticks, start) = (Ticks::default(), Barrier::new(THREADS));
        let mut events = Vec::new();
        thread::scope(|scope| {
            let (ticks, start) = (&ticks, &start);
            let threads: Vec<_> = (0..THREADS as u64)
                .zip(&stores)
                .map(|(thread, store)| {
                    let mut random = Random(seed << 2 | thread);
                    scope.spawn(move || {
                        start.wait();
                        work(&mut random, &self.choice, store, ticks)
                    })
                })
                .collect();
            for thread in threads {
                events.extend(thread.join().unwrap());
            }
        });
        for store in stores {
            store.close().unwrap();
        }
        events
    }
}

/// Does what one thread does: now and then two requests together, or a look.
fn work(random: &mut Random, choice: &Choice, store: &ContactStore, ticks: &Ticks) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < OPERATIONS {
        if random.below(3) == 0 {
            let began = ticks.next();
            let question = choice.question(random);
            let snapshot = store.snapshot().unwrap();
            let shown = question.ask_store(&snapshot);
            events.push(Event {
                began,
                ended: ticks.next(),
                did: Did::Looked(question, snapshot.sequence().value(), shown),
            });
            continue;
        }
        let at_once = (1 + random.below(2)).min(OPERATIONS - events.len());
        let pending: Vec<_> = (0..at_once)
            .map(|_| {
                let request = choice.request(random);
                let began = ticks.next();
                let waiting = request.submit(store);
                (request, began, waiting)
            })
            .collect();
        for (request, began, waiting) in pending {
            let answer = waiting.wait();
            events.push(Event {
                began,
                ended: ticks.next(),
                did: Did::Asked(request, answer),
            });
        }
    }
    events
}

/// How many pairs of events came at the same time.
fn at_once(events: &[Event]) -> u64 {
    let pairs = events.iter().enumerate().flat_map(|(at, one)| {
        let others = &events[at + 1..];
        others
            .iter()
            .filter(|other| one.began < other.ended && other.began < one.ended)
    });
    pairs.count() as u64
}

fn check(seed: u64, start: &Start, cases: &Cases) {
    let events = start.play(seed);
    let (found, steps) = Search::finds(&events, &start.model, false);
    assert!(found, "no order explains this: {events:#?}");
    cases.count("steps of the search", steps);
    let (found, steps) = Search::finds(&events, &start.model, true);
    assert!(found, "no order explains the numbers of this: {events:#?}");
    cases.count("steps of the search with numbers", steps);
    cases.count("pairs at the same time", at_once(&events));
    let looks = events
        .iter()
        .filter(|event| matches!(event.did, Did::Looked(..)));
    cases.count("looks", looks.count() as u64);
    let refused = events
        .iter()
        .filter(|event| matches!(event.did, Did::Asked(_, Err(_))));
    cases.count("refused", refused.count() as u64);
    count_lies(&events, start, cases);
}

/// The search is no use unless it finds out who lies: a number that is one too large, an outcome
/// of another request, a look at another state.
fn count_lies(events: &[Event], start: &Start, cases: &Cases) {
    let caught = |at: usize, did: Did, numbered: bool| {
        let mut events = events.to_vec();
        events[at].did = did;
        !Search::finds(&events, &start.model, numbered).0
    };
    let asked = events
        .iter()
        .enumerate()
        .find_map(|(at, event)| match &event.did {
            Did::Asked(request, Ok((number, outcome))) => Some((at, request, *number, outcome)),
            _ => None,
        });
    if let Some((at, request, number, outcome)) = asked {
        let lie = Did::Asked(request.clone(), Ok((number + 1, outcome.clone())));
        cases.count("lying numbers", 1);
        cases.count("lying numbers found", u64::from(caught(at, lie, true)));
        let lie = Did::Asked(request.clone(), Ok((number, Outcome::Erased(true))));
        if *outcome == Outcome::Erased(false) {
            cases.count("lying outcomes", 1);
            cases.count("lying outcomes found", u64::from(caught(at, lie, false)));
        }
    }
    // The state of the start, shown at the end.
    for (at, event) in events.iter().enumerate().rev() {
        if let Did::Looked(question, number, shown) = &event.did {
            let stale = question.ask_model(&start.model);
            if stale != *shown {
                let lie = Did::Looked(question.clone(), *number, stale);
                cases.count("stale looks", 1);
                cases.count("stale looks found", u64::from(caught(at, lie, false)));
                return;
            }
        }
    }
}

#[test]
fn r46_r47_some_order_explains_every_small_history_and_the_numbers_agree_with_it() {
    let start = Start::new();
    let histories = if long_form() {
        100_000
    } else {
        place::share(2_000, 60)
    };
    let check = move |seed, counts: &Cases| check(seed, &start, counts);
    let cases = each_seed("small", histories, check);
    cases.finish(&place::at_least(&[
        (CASES, 2_000),
        ("pairs at the same time", 20_000),
        ("looks", 5_000),
        ("refused", 100),
        ("lying numbers found", 1_000),
        ("lying outcomes found", 20),
        ("stale looks found", 500),
    ]));
}
