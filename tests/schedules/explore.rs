//! Many schedules of one scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::cases::{Cases, long_form};

/// What is counted for each schedule.
pub const SCHEDULES: &str = "schedules";

/// How many schedules one case tries. The second kind of scheduler learns from the first of them how
/// long a schedule is, and so needs some.
const OF_A_CASE: u64 = 50;

/// What one schedule met. To note it is no step of the schedule.
#[derive(Default)]
pub struct Met(Mutex<BTreeMap<&'static str, u64>>);

impl Met {
    pub fn count(&self, what: &'static str, times: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what).or_default() += times;
    }

    pub fn tell(&self, cases: &Cases) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, times) in &*counts {
            cases.count(what, *times);
        }
    }
}

/// Runs a scenario under at least `schedules` schedules, and asserts that it met what `least` names.
///
/// Half of the cases choose each step at random. The others (probabilistic concurrency testing) let
/// the thread of the highest priority run, and lower it at three random moments: that finds what
/// needs one thread to stand still for long.
#[track_caller]
pub fn explore(schedules: u64, least: &[(&str, u64)], scenario: fn(&Cases)) {
    let cases = Arc::new(Cases::new());
    let times = if long_form() { 40 } else { 1 };
    for seed in 0..(schedules * times).div_ceil(2 * OF_A_CASE) {
        let of_a_case = OF_A_CASE as usize;
        let random = move || RandomScheduler::new_from_seed(seed, of_a_case);
        run(&cases, &format!("random-{seed}"), random, scenario);
        let priorities = move || PctScheduler::new_from_seed(seed, 4, of_a_case);
        run(&cases, &format!("priorities-{seed}"), priorities, scenario);
    }
    let mut floors = vec![(SCHEDULES, schedules)];
    floors.extend(least);
    let cases = Arc::into_inner(cases).expect("every case has ended");
    cases.finish(&floors);
}

#[track_caller]
fn run<S: Scheduler + 'static>(
    cases: &Arc<Cases>,
    name: &str,
    scheduler: impl FnOnce() -> S + Send + 'static,
    scenario: fn(&Cases),
) {
    let met = Arc::clone(cases);
    cases.run(name, move || {
        let mut config = Config::new();
        // Some of the writer's frames are large without optimisation.
        config.stack_size = 256 << 10;
        // A schedule takes some hundred steps. One that never ends does something again and again.
        config.max_steps = MaxSteps::FailAfter(100_000);
        // All atomics are taken to be in one order, whichever the source asks for.
        config.silence_warnings = true;
        Runner::new(scheduler(), config).run(move || {
            met.count(SCHEDULES, 1);
            scenario(&met);
        });
    });
}
