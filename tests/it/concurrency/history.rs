//! What some threads asked, saw and were answered, and whether one order of their requests explains
//! it: that of the sequence numbers.

use std::collections::BTreeMap;

use crate::model::{Answer, Model, Question, Refused, Request, Shown};

/// A request and its answer, with the ticks before it was made and after it was answered.
#[derive(Debug)]
pub struct Asked {
    pub thread: usize,
    pub began: u64,
    pub ended: u64,
    pub request: Request,
    pub answer: Answer,
    /// The number of the state that it made or met, if it is known to be in.
    number: Option<u64>,
}

impl Asked {
    pub fn new(
        thread: usize,
        (began, ended): (u64, u64),
        request: Request,
        answer: Answer,
    ) -> Self {
        Asked {
            thread,
            began,
            ended,
            number: answer.as_ref().ok().map(|(number, _)| *number),
            request,
            answer,
        }
    }

    /// The number of an indeterminate request.
    fn indeterminate(&self) -> Option<u64> {
        match self.answer {
            Err(Refused::Indeterminate(number)) => Some(number),
            _ => None,
        }
    }

    /// Whether the store answered before it knew: nothing of it is in then, or nobody can say.
    fn is_lost(&self) -> bool {
        use Refused::{Gone, Indeterminate, NeedsReopen, NotRead};
        let answer = &self.answer;
        matches!(answer, Err(Indeterminate(_) | NeedsReopen | Gone | NotRead))
    }

    /// Whether the model's answer is the one that was given, if one was.
    fn is_explained_by(&self, answer: &Answer) -> bool {
        self.answer == *answer || self.indeterminate().is_some()
    }
}

/// A state that was seen: all of what is shown is of one number.
#[derive(Debug)]
pub struct Seen {
    pub began: u64,
    pub ended: u64,
    /// When the last question was asked of it.
    pub last_asked: u64,
    pub number: u64,
    pub shown: Vec<(Question, Shown)>,
}

/// Requests in the order in which each thread made them, and states that were seen.
#[derive(Default)]
pub struct History {
    pub asked: Vec<Asked>,
    pub seen: Vec<Seen>,
}

/// How many indeterminate requests turned out to be in, and how many to be lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Indeterminate {
    pub are_in: u64,
    pub are_out: u64,
}

impl History {
    pub fn add(&mut self, other: History) {
        self.asked.extend(other.asked);
        self.seen.extend(other.seen);
    }

    /// After a failure, the store was found at this number: it says which of the indeterminate
    /// requests so far are in (R49).
    pub fn found(&mut self, number: u64) -> Indeterminate {
        let mut count = Indeterminate::default();
        for asked in &mut self.asked {
            let Some(would_have) = asked.indeterminate() else {
                continue;
            };
            let is_in = would_have <= number;
            asked.number = is_in.then_some(would_have);
            count.are_in += u64::from(is_in);
            count.are_out += u64::from(!is_in);
        }
        count
    }

    /// Nothing that was acknowledged or seen so far is beyond this number, at which the store was
    /// found after it went down (R46).
    pub fn assert_durable(&self, found: u64) {
        for asked in &self.asked {
            let acknowledged = asked.answer.as_ref().map_or(0, |(number, _)| *number);
            assert!(acknowledged <= found, "lost, found {found}: {asked:#?}");
        }
        for seen in &self.seen {
            assert!(
                seen.number <= found,
                "seen, and lost: found {found}: {seen:#?}"
            );
        }
    }

    /// The answers are those of `model` to the same requests in the order of their numbers, and the
    /// threads can have seen them in that order, which ends in what `last` accepts. Gives the model
    /// after each number.
    ///
    /// Where nobody was answered, several of the requests may have made a state: any order of them
    /// that explains everything will do.
    pub fn check(
        &self,
        model: &Model,
        clock: u64,
        last: impl Fn(&Model) -> Result<(), String>,
    ) -> Replayed {
        /// A fault of the store fits none of many orders: it must be reported in time.
        const MOST_ORDERS: usize = 500;
        let mut makers = Makers::default();
        let mut first_fault = None;
        for _ in 0..MOST_ORDERS {
            let explained = self
                .explain(model, clock, &mut makers)
                .and_then(|replayed| {
                    last(replayed.state(replayed.last()))?;
                    Ok(replayed)
                });
            match explained {
                Ok(replayed) => return replayed,
                Err(fault) => drop(first_fault.get_or_insert(fault)),
            }
            if !makers.next() {
                break;
            }
        }
        panic!("no order explains it; the first: {}", first_fault.unwrap());
    }

    fn explain(&self, model: &Model, clock: u64, makers: &mut Makers) -> Result<Replayed, String> {
        let replayed = Replayed::new(self, model, clock, makers)?;
        let windows = Windows::new(self, &replayed);
        self.check_order_of_each_thread(&replayed)?;
        for (at, asked) in self.asked.iter().enumerate() {
            let (least, most) = windows.around(asked.began, asked.ended);
            let is_explained = match asked.number {
                // A request acknowledged before another was made never has the larger number.
                Some(number) if replayed.changed[at] => number > least,
                Some(_) if asked.is_lost() => true,
                Some(number) => (least..=most).contains(&number),
                None if asked.is_lost() => true,
                // A refused request has no number. It was decided on some state in between.
                None => {
                    let answers = |number| replayed.answer(number, &asked.request, clock);
                    (least..=most).any(|number| answers(number) == asked.answer)
                }
            };
            if !is_explained {
                return Err(format!("at no state from {least} to {most}: {asked:#?}"));
            }
        }
        for seen in &self.seen {
            let (least, most) = windows.around(seen.began, seen.ended);
            if !(least..=most).contains(&seen.number) {
                return Err(format!("not from {least} to {most}: {seen:#?}"));
            }
            let state = replayed.state(seen.number);
            for (question, shown) in seen.shown.iter().filter(|(_, shown)| !shown.is_lost()) {
                let expected = question.ask_model(state);
                if *shown != expected {
                    let number = seen.number;
                    return Err(format!(
                        "{question:?} at {number}: {shown:?}, not {expected:?}"
                    ));
                }
            }
        }
        Ok(replayed)
    }

    /// Requests of one thread are decided in the order in which it made them.
    fn check_order_of_each_thread(&self, replayed: &Replayed) -> Result<(), String> {
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for (asked, changed) in self.asked.iter().zip(&replayed.changed) {
            let Some(number) = asked.number else {
                continue;
            };
            if let Some(before) = last.insert(asked.thread, number)
                && number < before + u64::from(*changed)
            {
                return Err(format!("before an earlier one of its thread: {asked:#?}"));
            }
        }
        Ok(())
    }
}

/// Which request is taken for the maker of a state, wherever several fit.
#[derive(Default)]
struct Makers {
    /// The one taken, of how many.
    taken: Vec<(usize, usize)>,
    /// How many of these were asked for.
    asked: usize,
}

impl Makers {
    /// Which of `of` makers to take.
    fn take(&mut self, of: usize) -> usize {
        if of < 2 {
            return 0;
        }
        if self.asked == self.taken.len() {
            self.taken.push((0, of));
        }
        self.asked += 1;
        self.taken[self.asked - 1].0
    }

    /// Goes on to others. `false`: there are no more.
    fn next(&mut self) -> bool {
        self.taken.truncate(self.asked);
        self.asked = 0;
        while let Some((taken, of)) = self.taken.pop() {
            if taken + 1 < of {
                self.taken.push((taken + 1, of));
                return true;
            }
        }
        false
    }
}

/// Which states something can have met, by when it began and ended.
struct Windows {
    /// By tick, the largest number that anyone was told, or saw, until then.
    told: Vec<(u64, u64)>,
    /// By tick, the smallest number of a state before what was made, or seen, from then on.
    made: Vec<(u64, u64)>,
    first: u64,
    last: u64,
}

impl Windows {
    fn new(history: &History, replayed: &Replayed) -> Self {
        let asked = || history.asked.iter().zip(&replayed.changed);
        // Who was told that a commit failed does not know of its state before the store is reopened.
        let known = asked().filter(|(asked, _)| asked.answer.is_ok());
        let told = known.filter_map(|(asked, _)| Some((asked.ended, asked.number?)));
        let seen = history.seen.iter();
        let mut told: Vec<_> = told
            .chain(seen.clone().map(|seen| (seen.ended, seen.number)))
            .collect();
        let changed = asked().filter(|(_, changed)| **changed);
        let made = changed.filter_map(|(asked, _)| Some((asked.began, asked.number? - 1)));
        let mut made: Vec<_> = made
            .chain(seen.map(|seen| (seen.began, seen.number)))
            .collect();
        told.sort_unstable();
        let mut most = replayed.first;
        for (_, number) in &mut told {
            most = most.max(*number);
            *number = most;
        }
        made.sort_unstable();
        let mut least = replayed.last();
        for (_, number) in made.iter_mut().rev() {
            least = least.min(*number);
            *number = least;
        }
        Windows {
            told,
            made,
            first: replayed.first,
            last: replayed.last(),
        }
    }

    /// The least and the greatest number of a state that something between these ticks can have met.
    fn around(&self, began: u64, ended: u64) -> (u64, u64) {
        let before = self.told.partition_point(|(tick, _)| *tick < began);
        let after = self.made.partition_point(|(tick, _)| *tick <= ended);
        let least = self.told[..before].last().map(|(_, number)| *number);
        let most = self.made.get(after).map(|(_, number)| *number);
        (least.unwrap_or(self.first), most.unwrap_or(self.last))
    }
}

/// The model after each number.
pub struct Replayed {
    first: u64,
    states: Vec<Model>,
    /// Which requests changed something.
    changed: Vec<bool>,
}

impl Replayed {
    /// Makes the requests of `model`, in the order of their numbers.
    fn new(
        history: &History,
        model: &Model,
        clock: u64,
        makers: &mut Makers,
    ) -> Result<Self, String> {
        let asked = &history.asked;
        let mut of_number: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, asked) in asked.iter().enumerate() {
            if let Some(number) = asked.number {
                of_number.entry(number).or_default().push(at);
            }
        }
        let mut replayed = Replayed {
            first: model.sequence(),
            states: vec![model.clone()],
            changed: vec![false; asked.len()],
        };
        for (number, requests) in of_number {
            if number > replayed.last() {
                if number != replayed.last() + 1 {
                    return Err(format!("nobody has a number before {number}"));
                }
                let (maker, after) = replayed.maker(history, &requests, clock, makers)?;
                replayed.states.push(after);
                replayed.changed[maker] = true;
            }
            for at in requests.iter().filter(|at| !replayed.changed[**at]) {
                let asked = &asked[*at];
                let answer = replayed.answer(number, &asked.request, clock);
                if !asked.is_explained_by(&answer) {
                    return Err(format!("{asked:#?}\n{answer:#?}"));
                }
            }
        }
        Ok(replayed)
    }

    /// Which of the requests with the next number made its state, and that state: one after which
    /// all the others change nothing, and which came before them as far as its thread could tell.
    fn maker(
        &self,
        history: &History,
        requests: &[usize],
        clock: u64,
        makers: &mut Makers,
    ) -> Result<(usize, Model), String> {
        let asked = &history.asked;
        let number = self.last() + 1;
        let mut fitting = Vec::new();
        for maker in requests {
            let made = &asked[*maker];
            let mut after = self.state(self.last()).clone();
            let answer = after.apply(&made.request, clock);
            if after.sequence() != number || !made.is_explained_by(&answer) {
                continue;
            }
            let others = || requests.iter().filter(|at| *at != maker);
            let comes_first = |at: &usize| {
                let other = &asked[*at];
                other.ended > made.began && (other.thread != made.thread || at > maker)
            };
            let is_seen_first = |seen: &Seen| seen.number == number && seen.ended < made.began;
            let answers = |at: &usize| {
                let (mut then, other) = (after.clone(), &asked[*at]);
                let answer = then.apply(&other.request, clock);
                then.sequence() == number && other.is_explained_by(&answer)
            };
            if others().all(comes_first)
                && !history.seen.iter().any(is_seen_first)
                && others().all(answers)
            {
                fitting.push((*maker, after));
            }
        }
        if fitting.is_empty() {
            let requests: Vec<&Asked> = requests.iter().map(|at| &asked[*at]).collect();
            return Err(format!("none of these comes next: {requests:#?}"));
        }
        Ok(fitting.swap_remove(makers.take(fitting.len())))
    }

    /// The number of the last state.
    pub fn last(&self) -> u64 {
        self.first + self.states.len() as u64 - 1
    }

    /// The state of a number.
    pub fn state(&self, number: u64) -> &Model {
        let at = usize::try_from(number - self.first).unwrap();
        &self.states[at]
    }

    /// All states, from that of a number on.
    pub fn states_from(&self, number: u64) -> &[Model] {
        let at = usize::try_from(number - self.first).unwrap();
        &self.states[at..]
    }

    /// What the model answers at the state of a number.
    fn answer(&self, number: u64, request: &Request, clock: u64) -> Answer {
        self.state(number).clone().apply(request, clock)
    }
}
