//! Many cases of one test: each watched, counted, and repeatable by itself.
//!
//! `CONTACT_STORE_TEST_LONG=1` asks for the long form of every such test, and
//! `CONTACT_STORE_TEST_CASE=<name>` for one case alone: a case that fails says which.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LONG: &str = "CONTACT_STORE_TEST_LONG";
const CASE: &str = "CONTACT_STORE_TEST_CASE";

/// How long anything may take. Nothing here takes a second.
pub const HANG: Duration = Duration::from_secs(10);

/// Whether every case is run. That takes some minutes a test.
pub fn long_form() -> bool {
    std::env::var_os(LONG).is_some_and(|value| value == "1")
}

/// Says something also when the test passes, past what captures the output of tests.
pub fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Runs a case on a thread of its own. A case that panics or hangs fails with its name.
#[track_caller]
pub fn watched<T: Send + 'static>(name: &str, case: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = case();
        let _ = done.send(());
        result
    });
    match wait.recv_timeout(HANG) {
        Err(RecvTimeoutError::Timeout) => panic!("{name}: hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(result) => result,
            Err(panic) => {
                tell(&format!("{name}: failed"));
                std::panic::resume_unwind(panic)
            }
        },
    }
}

/// The cases of one test. Threads may share them.
pub struct Cases {
    test: String,
    only: Option<String>,
    started: Instant,
    counts: Mutex<BTreeMap<String, u64>>,
}

/// What [`Cases::run`] counts.
pub const CASES: &str = "cases";

impl Cases {
    /// To be called on the thread of the test, which has its name.
    pub fn new() -> Self {
        let test = thread::current().name().unwrap_or_default().to_owned();
        Cases {
            test,
            only: std::env::var(CASE).ok(),
            started: Instant::now(),
            counts: Mutex::default(),
        }
    }

    /// Runs a case, unless another one is asked for. Its name must tell all that it depends on, its
    /// seed too.
    #[track_caller]
    pub fn run<T: Send + 'static>(
        &self,
        name: &str,
        case: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.wants(name)
            .then(|| watched(&format!("{name}, {}", self.repeat(name)), case))
    }

    /// Counts a case that the caller watches itself, unless another one is asked for.
    pub fn wants(&self, name: &str) -> bool {
        let wanted = self.only.as_ref().is_none_or(|only| only == name);
        self.count(CASES, wanted.into());
        wanted
    }

    /// How a case is repeated.
    pub fn repeat(&self, name: &str) -> String {
        let (test, package, target) =
            (&self.test, env!("CARGO_PKG_NAME"), env!("CARGO_CRATE_NAME"));
        format!(
            "to repeat it: {CASE}='{name}' cargo test -p {package} --test {target} -- --exact {test}"
        )
    }

    /// Whether all cases have to be offered, and not the choice of the short form: in the long form,
    /// and when one is looked for.
    pub fn every(&self) -> bool {
        self.only.is_some() || long_form()
    }

    /// Counts something that was met.
    pub fn count(&self, what: &str, times: u64) {
        let mut counts = self.counts.lock().unwrap();
        *counts.entry(what.to_owned()).or_default() += times;
    }

    /// How often something was met by now.
    pub fn met(&self, what: &str) -> u64 {
        let counts = self.counts.lock().unwrap();
        counts.get(what).copied().unwrap_or_default()
    }

    /// Says what was counted. Each of `least` was met that often at least: a test whose cases do not
    /// come to where they should proves nothing.
    #[track_caller]
    pub fn finish(self, least: &[(&str, u64)]) {
        let counts = self.counts.into_inner().unwrap();
        let mut line = format!("{} ({:.1?}):", self.test, self.started.elapsed());
        for (what, times) in &counts {
            write!(line, " {times} {what},").unwrap();
        }
        tell(line.trim_end_matches(','));
        if self.only.is_some() {
            return;
        }
        for (what, least) in least {
            let times = counts.get(*what).copied().unwrap_or_default();
            assert!(times >= *least, "{times} {what}, not {least}");
        }
    }
}

/// Runs a case for each seed below `seeds`, on both processors. Each is named `<name>-<seed>`.
pub fn each_seed(
    name: &'static str,
    seeds: u64,
    case: impl Fn(u64, &Cases) + Send + Sync + 'static,
) -> Cases {
    let (cases, case) = (Arc::new(Cases::new()), Arc::new(case));
    thread::scope(|scope| {
        for half in 0..2 {
            let (cases, case) = (Arc::clone(&cases), Arc::clone(&case));
            scope.spawn(move || {
                for seed in (half..seeds).step_by(2) {
                    let (counts, case) = (Arc::clone(&cases), Arc::clone(&case));
                    cases.run(&format!("{name}-{seed}"), move || case(seed, &counts));
                }
            });
        }
    });
    Arc::into_inner(cases).expect("every case has ended")
}
