//! The two stores, one under each policy, and the lines that are put to both.
//!
//! Writes are handed over ahead of their outcomes, so that many share a commit. A line that reads
//! waits for all writes before it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use contact_store::wire::{self, Line};
use contact_store::{
    Advice, Clock as _, ContactStore, EntryError, Error, IdempotencyKey, KeepAnswers, Limits,
    ManualClock, MatchPolicy, Options, Pending, Snapshot, SystemClock, WhenFull,
};

use crate::failure::Failure;
use crate::open::open_unless_stopped;
use crate::stop::Stop;

use super::decided::Decided;
use super::log::RawLine;

/// Lines whose outcomes are not taken yet, at most.
const MOST_UNDER_WAY: usize = 1_024;
/// Bytes of text in these lines, at most; one line is always taken.
const MOST_BYTES_UNDER_WAY: usize = 16 << 20;

/// What the two stores decided about one entry.
pub(crate) struct DecidedEntry {
    /// The index of the entry in its request, counted from 0; `None` where a line is one entry.
    pub(crate) index: Option<usize>,
    pub(crate) cascade: Decided,
    pub(crate) top_priority: Decided,
}

/// The outcome of a line.
pub(crate) enum Outcome {
    /// These entries were decided.
    Entries(Vec<DecidedEntry>),
    /// Both stores refused it as a whole.
    Refused,
    /// It changes something that no policy decides.
    NotCompared,
}

/// The outcome of a line, with its place.
pub(crate) struct DecidedLine {
    /// The number of the line, counted from 1.
    pub(crate) number: u64,
    /// What the line asks for.
    pub(crate) kind: &'static str,
    pub(crate) outcome: Outcome,
}

/// Waits for the outcome of a line.
type Wait = Box<dyn FnOnce() -> Result<Outcome, Failure>>;

/// A line whose outcome is not taken yet.
struct UnderWay {
    number: u64,
    bytes: usize,
    kind: &'static str,
    wait: Wait,
}

/// The stores that lines are put to.
struct Both {
    cascade: ContactStore,
    top_priority: ContactStore,
}

/// See the module.
pub(crate) struct Stores {
    both: Both,
    /// One for both: a report must not be late in one of them alone (R31).
    clock: Arc<ManualClock>,
    limits: Limits,
    under_way: VecDeque<UnderWay>,
    bytes_under_way: usize,
}

impl Stores {
    /// Makes two stores in a directory: empty, or each a copy of the store at `from`.
    pub(crate) fn open(
        directory: &Path,
        from: Option<&Path>,
        options: Options,
        stop: &Stop,
    ) -> Result<Self, Failure> {
        let paths = ["cascade.redb", "topPriority.redb"].map(|name| directory.join(name));
        if let Some(from) = from {
            let from = open_unless_stopped(&from.into(), stop)?;
            let now = from.snapshot()?;
            for path in &paths {
                let copied = now.backup(path, |_| stop.goes_on());
                copied.map_err(|error| Failure::copying(path, error))?;
            }
        }
        let clock = Arc::new(ManualClock::default());
        let limits = options.limits;
        // A line of the log may have an idempotency key (R64).
        let options = options
            .clock(clock.clone())
            .keep_answers(KeepAnswers::default());
        let [cascade, top_priority] = &paths;
        let open = |path: &Path, policy| {
            let store = ContactStore::open(path, options.clone().policy(policy));
            let store = store.map_err(|error| Failure::opening(&path.into(), error))?;
            Ok::<_, Failure>(store.when_full(WhenFull::Wait))
        };
        Ok(Stores {
            both: Both {
                cascade: open(cascade, MatchPolicy::Cascade)?,
                top_priority: open(top_priority, MatchPolicy::TopPriority)?,
            },
            clock,
            limits,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
        })
    }

    /// Puts a line to both stores, and hands over the outcomes that are there by then, in order.
    pub(crate) fn put(
        &mut self,
        line: RawLine,
        take: &mut impl FnMut(DecidedLine) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let RawLine {
            number,
            length,
            text,
            ..
        } = line;
        let bytes = text.len();
        let is_full = |stores: &Self| {
            stores.under_way.len() >= MOST_UNDER_WAY
                || stores.bytes_under_way.saturating_add(bytes) > MOST_BYTES_UNDER_WAY
        };
        while !self.under_way.is_empty() && is_full(self) {
            self.finish_oldest(take)?;
        }
        let line = match wire::check_request_size(length, &self.limits) {
            Ok(()) => Line::parse(&text, &self.limits),
            Err(exceeded) => Err(exceeded.into()),
        };
        drop(text);
        self.clock.set(SystemClock.now());
        if let Ok(Line::Find(_) | Line::Resolve(_)) = line {
            self.finish(take)?;
        }
        let Some((kind, wait)) = self.both.ask(line)? else {
            return Ok(());
        };
        self.bytes_under_way = self.bytes_under_way.saturating_add(bytes);
        self.under_way.push_back(UnderWay {
            number,
            bytes,
            kind,
            wait,
        });
        Ok(())
    }

    /// Hands over all outcomes that are not taken yet.
    pub(crate) fn finish(
        &mut self,
        take: &mut impl FnMut(DecidedLine) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while !self.under_way.is_empty() {
            self.finish_oldest(take)?;
        }
        Ok(())
    }

    fn finish_oldest(
        &mut self,
        take: &mut impl FnMut(DecidedLine) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(oldest) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes_under_way = self.bytes_under_way.saturating_sub(oldest.bytes);
        take(DecidedLine {
            number: oldest.number,
            kind: oldest.kind,
            outcome: (oldest.wait)()?,
        })
    }
}

impl Both {
    /// The same under an idempotency key.
    fn once(&self, key: &IdempotencyKey) -> Self {
        Both {
            cascade: self.cascade.once(key),
            top_priority: self.top_priority.once(key),
        }
    }

    /// Asks both stores what a line asks for. `None` for a line that lists or explains.
    fn ask(&self, line: Result<Line, Error>) -> Result<Option<(&'static str, Wait)>, Failure> {
        let Ok(line) = line else {
            return Ok(Some(("line", Box::new(|| Ok(Outcome::Refused)))));
        };
        Ok(Some(match line {
            Line::Once { key, line } => return self.once(&key).ask(Ok(*line)),
            Line::ConnectApp { request, .. } => (
                "connectApp",
                self.not_compared(|store| store.connect_app(request.clone())),
            ),
            Line::DisconnectApp(app) => (
                "disconnectApp",
                self.not_compared(|store| store.disconnect_app(app)),
            ),
            Line::ForgetMessages { app, before } => (
                "forgetMessages",
                self.not_compared(|store| store.forget_messages(app, before)),
            ),
            Line::RemoveStale(request) => (
                "removeStale",
                self.not_compared(|store| store.remove_stale(request)),
            ),
            Line::BringBack(request) => (
                "bringBack",
                self.not_compared(|store| store.bring_back(request.clone())),
            ),
            Line::Mute(request) => (
                "mute",
                self.not_compared(|store| store.mute(request.clone())),
            ),
            Line::Unmute(request) => (
                "unmute",
                self.not_compared(|store| store.unmute(request.clone())),
            ),
            // Ids that the two stores gave out differ, and lead to other contacts.
            Line::Merge(request) => ("merge", self.not_compared(|store| store.merge(request))),
            Line::Unmerge(contact) => {
                ("unmerge", self.not_compared(|store| store.unmerge(contact)))
            }
            Line::Split(request) => (
                "split",
                self.not_compared(|store| store.split(request.clone())),
            ),
            Line::DismissConflict(one, other) => (
                "dismissConflict",
                self.not_compared(|store| store.dismiss_conflict(one, other)),
            ),
            Line::AddTokens(request) => {
                let write = |store: &ContactStore| store.add_tokens(request.clone());
                let wait = self.batch(write, |added| decided(&added.entries, Decided::added));
                ("tokens", wait)
            }
            Line::RecordReports(request) => {
                let write = |store: &ContactStore| store.record_reports(request.clone());
                let wait = self.batch(write, |recorded| decided(recorded, Decided::reported));
                ("statuses", wait)
            }
            Line::Upsert(request) => {
                let write = |store: &ContactStore| store.upsert(request.clone());
                let wait = self.batch(write, |upserted| decided(upserted, Decided::upserted));
                ("contacts", wait)
            }
            Line::RemoveToken(request) => {
                let write = |store: &ContactStore| store.remove_token(request.clone());
                ("removeToken", self.single(write, Decided::removed))
            }
            Line::RenameToken(request) => {
                let write = |store: &ContactStore| store.rename_token(request.clone());
                ("renameToken", self.single(write, Decided::renamed))
            }
            Line::LiftSuppression(identifiers) => (
                "liftSuppression",
                self.not_compared(|store| store.lift_suppression(identifiers.clone())),
            ),
            Line::Erase(request) => {
                let contact = request.contact();
                let write = |store: &ContactStore| store.erase(request);
                let wait = self.single(write, move |erased| Decided::erased(contact, *erased));
                ("erase", wait)
            }
            Line::Find(identifiers) => {
                let wait = self.read(|now, policy| {
                    let found = now.find(&identifiers, policy)?;
                    Ok(Decided::found(found.as_ref()))
                });
                ("find", wait?)
            }
            Line::Resolve(request) => {
                let wait = self.read(|now, _| Ok(Decided::resolved(&now.resolve(&request)?)));
                ("resolve", wait?)
            }
            _ => return Ok(None),
        }))
    }

    fn not_compared<T: 'static>(&self, write: impl Fn(&ContactStore) -> Pending<T>) -> Wait {
        let (cascade, top_priority) = (write(&self.cascade), write(&self.top_priority));
        Box::new(move || {
            let decided = [outcome(cascade)?.is_ok(), outcome(top_priority)?.is_ok()];
            Ok(match decided {
                [false, false] => Outcome::Refused,
                _ => Outcome::NotCompared,
            })
        })
    }

    fn batch<T: 'static>(
        &self,
        write: impl Fn(&ContactStore) -> Pending<T>,
        entries: impl Fn(&T) -> Vec<Decided> + 'static,
    ) -> Wait {
        let (cascade, top_priority) = (write(&self.cascade), write(&self.top_priority));
        Box::new(move || {
            let cascade = outcome(cascade)?.map(|outcome| entries(&outcome));
            let top_priority = outcome(top_priority)?.map(|outcome| entries(&outcome));
            let (cascade, top_priority) = match (cascade, top_priority) {
                (Err(_), Err(_)) => return Ok(Outcome::Refused),
                (Ok(cascade), Ok(top_priority)) => (cascade, top_priority),
                (Ok(cascade), Err(refused)) => {
                    let top_priority = vec![refused; cascade.len()];
                    (cascade, top_priority)
                }
                (Err(refused), Ok(top_priority)) => {
                    (vec![refused; top_priority.len()], top_priority)
                }
            };
            let both = cascade.into_iter().zip(top_priority).enumerate();
            let entries = both.map(|(index, (cascade, top_priority))| DecidedEntry {
                index: Some(index),
                cascade,
                top_priority,
            });
            Ok(Outcome::Entries(entries.collect()))
        })
    }

    fn single<T: 'static>(
        &self,
        write: impl Fn(&ContactStore) -> Pending<T>,
        decided: impl Fn(&T) -> Decided + 'static,
    ) -> Wait {
        let (cascade, top_priority) = (write(&self.cascade), write(&self.top_priority));
        Box::new(move || {
            let of = |outcome: Result<T, Decided>| match outcome {
                Ok(outcome) => decided(&outcome),
                Err(refused) => refused,
            };
            let (cascade, top_priority) = (outcome(cascade)?, outcome(top_priority)?);
            Ok(one(of(cascade), of(top_priority)))
        })
    }

    /// Reads in both stores. All writes are in them by now.
    fn read(
        &self,
        read: impl Fn(&Snapshot, MatchPolicy) -> Result<Decided, Error>,
    ) -> Result<Wait, Failure> {
        let read = |store: &ContactStore, policy| match read(&store.snapshot()?, policy) {
            Ok(decided) => Ok(decided),
            Err(error) => refused(error),
        };
        let cascade = read(&self.cascade, MatchPolicy::Cascade)?;
        let top_priority = read(&self.top_priority, MatchPolicy::TopPriority)?;
        Ok(Box::new(move || Ok(one(cascade, top_priority))))
    }
}

fn one(cascade: Decided, top_priority: Decided) -> Outcome {
    Outcome::Entries(vec![DecidedEntry {
        index: None,
        cascade,
        top_priority,
    }])
}

fn decided<T>(entries: &[Result<T, EntryError>], accepted: impl Fn(&T) -> Decided) -> Vec<Decided> {
    let decided = entries.iter().map(|entry| match entry {
        Ok(outcome) => accepted(outcome),
        Err(error) => Decided::Refused {
            code: wire::entry_code(error),
        },
    });
    decided.collect()
}

/// The outcome of a write, or that it is refused.
fn outcome<T>(pending: Pending<T>) -> Result<Result<T, Decided>, Failure> {
    match pending.wait() {
        Ok(committed) => Ok(Ok(committed.outcome)),
        Err(error) => refused(error).map(Err),
    }
}

/// An error of the line is a decision. Any other ends the comparison.
fn refused(error: Error) -> Result<Decided, Failure> {
    match error.advice() {
        Advice::MendTheCall => Ok(Decided::Refused {
            code: wire::code(&error),
        }),
        _ => Err(error.into()),
    }
}
