//! What some threads asked and were answered, and whether one order of their requests explains it.

use std::collections::BTreeMap;

use contact_store::Snapshot;

use crate::model::{Answer, Model, Probes, Request};

/// A request and its answer, with the ticks before it was made and after it was answered.
#[derive(Debug)]
pub struct Asked {
    pub thread: u64,
    pub began: u64,
    pub ended: u64,
    pub request: Request,
    pub answer: Answer,
}

impl Asked {
    fn number(&self) -> Option<u64> {
        self.answer.as_ref().ok().map(|(number, _)| *number)
    }
}

/// A state that was seen.
pub struct Seen {
    pub began: u64,
    pub ended: u64,
    pub snapshot: Snapshot,
}

/// Requests in the order in which each thread made them, and states that were seen.
#[derive(Default)]
pub struct History {
    pub asked: Vec<Asked>,
    pub seen: Vec<Seen>,
}

impl History {
    /// All of them together.
    pub fn of_all(histories: Vec<History>) -> Self {
        let mut all = History::default();
        for history in histories {
            all.asked.extend(history.asked);
            all.seen.extend(history.seen);
        }
        all
    }

    /// The answers are those of `model` to the same requests in the order of their numbers, and the
    /// threads can have seen them in that order. Gives the model after all of it.
    pub fn check(&self, model: Model, clock: u64, probes: &Probes) -> Model {
        let replayed = Replayed::new(self, model, clock);
        self.check_order_of_each_thread(&replayed);
        for (at, asked) in self.asked.iter().enumerate() {
            let (least, most) = self.window(&replayed, asked.began, asked.ended);
            match asked.number() {
                // A request acknowledged before another was made never has the larger number.
                Some(number) if replayed.changed[at] => assert!(number > least, "{asked:#?}"),
                Some(number) => assert!((least..=most).contains(&number), "{asked:#?}"),
                // A refused request has no number. It was decided on some state in between.
                None => {
                    let answers = |number| replayed.answer(number, &asked.request, clock);
                    let decided = (least..=most).any(|number| answers(number) == asked.answer);
                    assert!(decided, "at no state from {least} to {most}: {asked:#?}");
                }
            }
        }
        for seen in &self.seen {
            let (least, most) = self.window(&replayed, seen.began, seen.ended);
            let number = seen.snapshot.sequence().value();
            assert!((least..=most).contains(&number), "{least} {number} {most}");
            let compared = replayed.state(number).compare(&seen.snapshot, probes);
            compared.unwrap_or_else(|difference| panic!("at {number}: {difference}"));
        }
        replayed.states.into_iter().next_back().unwrap()
    }

    /// The least and the greatest number of a state that something between these ticks can have met.
    fn window(&self, replayed: &Replayed, began: u64, ended: u64) -> (u64, u64) {
        let answered = self.asked.iter().filter(|other| other.ended < began);
        let seen_before = self.seen.iter().filter(|other| other.ended < began);
        let least = answered
            .filter_map(Asked::number)
            .chain(seen_before.map(|seen| seen.snapshot.sequence().value()))
            .max();
        let made = self.asked.iter().zip(&replayed.changed);
        let made_after = made.filter(|(other, changed)| **changed && other.began > ended);
        let seen_after = self.seen.iter().filter(|other| other.began > ended);
        let most = made_after
            .filter_map(|(other, _)| other.number().map(|number| number - 1))
            .chain(seen_after.map(|seen| seen.snapshot.sequence().value()))
            .min();
        (
            least.unwrap_or(replayed.first),
            most.unwrap_or(replayed.last()),
        )
    }

    /// Requests of one thread are decided in the order in which it made them.
    fn check_order_of_each_thread(&self, replayed: &Replayed) {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for (asked, changed) in self.asked.iter().zip(&replayed.changed) {
            let Some(number) = asked.number() else {
                continue;
            };
            if let Some(before) = last.insert(asked.thread, number) {
                assert!(number >= before + u64::from(*changed), "{asked:#?}");
            }
        }
    }
}

/// The model after each number.
struct Replayed {
    first: u64,
    states: Vec<Model>,
    /// Which requests changed something.
    changed: Vec<bool>,
}

impl Replayed {
    /// Makes the requests of `model`, in the order of their numbers.
    fn new(history: &History, model: Model, clock: u64) -> Self {
        let asked = &history.asked;
        let mut of_number: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, asked) in asked.iter().enumerate() {
            if let Some(number) = asked.number() {
                of_number.entry(number).or_default().push(at);
            }
        }
        let mut replayed = Replayed {
            first: model.sequence(),
            states: vec![model],
            changed: vec![false; asked.len()],
        };
        for (number, requests) in of_number {
            if number > replayed.last() {
                assert_eq!(number, replayed.last() + 1, "nobody has a number between");
                let maker = replayed.maker(history, &requests, clock);
                replayed.changed[maker] = true;
            }
            for at in requests.iter().filter(|at| !replayed.changed[**at]) {
                let request = &asked[*at].request;
                let answer = replayed.answer(number, request, clock);
                assert_eq!(asked[*at].answer, answer, "{request:#?}");
            }
        }
        replayed
    }

    /// Which of the requests with the next number made its state, which is added: one after which
    /// all the others change nothing, and which came before them as far as its thread could tell.
    fn maker(&mut self, history: &History, requests: &[usize], clock: u64) -> usize {
        let asked = &history.asked;
        let number = self.last() + 1;
        for maker in requests {
            let made = &asked[*maker];
            let mut after = self.state(self.last()).clone();
            if after.apply(&made.request, clock) != made.answer {
                continue;
            }
            let others = || requests.iter().filter(|at| *at != maker);
            let comes_first = |at: &usize| {
                let other = &asked[*at];
                other.ended > made.began && (other.thread != made.thread || at > maker)
            };
            let is_seen_first =
                |seen: &Seen| seen.snapshot.sequence().value() == number && seen.ended < made.began;
            let answers = |at: &usize| {
                let other = &asked[*at];
                after.clone().apply(&other.request, clock) == other.answer
            };
            if others().all(comes_first)
                && !history.seen.iter().any(is_seen_first)
                && others().all(answers)
            {
                self.states.push(after);
                return *maker;
            }
        }
        let requests: Vec<&Asked> = requests.iter().map(|at| &asked[*at]).collect();
        panic!("none of these comes next: {requests:#?}");
    }

    fn last(&self) -> u64 {
        self.first + self.states.len() as u64 - 1
    }

    fn state(&self, number: u64) -> &Model {
        let at = usize::try_from(number - self.first).unwrap();
        &self.states[at]
    }

    /// What the model answers at the state of a number.
    fn answer(&self, number: u64, request: &Request, clock: u64) -> Answer {
        self.state(number).clone().apply(request, clock)
    }
}
