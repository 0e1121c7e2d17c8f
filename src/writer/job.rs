//! One write on its way: from the queue through the draft to its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::model::sequence::{Committed, SequenceNumber};
use crate::model::time::Timestamp;
use crate::operations::once::Once;
use crate::operations::operation::{Decided, Operation, Size, Step};
use crate::stats::RunningStats;
use crate::storage::Draft;
use crate::sync::oneshot;

/// A write whose type the queue need not know.
pub(super) trait Job: Send {
    fn size(&self) -> Size;

    /// Keeps the request as it is, since it may have to be decided once more.
    fn keep(&mut self);

    /// Takes back that it was decided after it was kept.
    fn forget(&mut self);

    /// Decides the request on the draft; what a refused one changed there is rolled back.
    fn decide(&mut self, draft: &mut Draft<'_>) -> Progress;

    /// Counts the answer that the caller will get: what was decided, if that is `durable`, or an error.
    fn count(&self, durable: bool, stats: &mut RunningStats);

    /// Answers the caller: with what was decided, at that number, or with the error given.
    fn answer(self: Box<Self>, with: Result<SequenceNumber, Error>);
}

/// Whether a job can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// It wants to go on in the next commit.
    Again,
}

pub(super) type Answer<T> = Result<Committed<T>, Error>;

/// A write and the way back to its caller.
pub(super) struct Write<O: Operation> {
    operation: O,
    /// The same before it was decided.
    kept: Option<O>,
    /// When it was made, for the change feed.
    at: Option<Timestamp>,
    /// Its idempotency key, if it has one.
    once: Option<Once<O>>,
    decided: Option<Result<Decided<O::Outcome>, Error>>,
    reply: oneshot::Sender<Answer<O::Outcome>>,
}

impl<O: Operation> Write<O> {
    pub(super) fn new(
        operation: O,
        at: Option<Timestamp>,
        once: Option<Once<O>>,
        reply: oneshot::Sender<Answer<O::Outcome>>,
    ) -> Self {
        Write {
            operation,
            kept: None,
            at,
            once,
            decided: None,
            reply,
        }
    }
}

impl<O: Operation> Job for Write<O> {
    fn size(&self) -> Size {
        self.operation.size()
    }

    fn keep(&mut self) {
        self.kept = Some(self.operation.clone());
    }

    fn forget(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.operation = kept;
        }
        self.decided = None;
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Progress {
        let mark = draft.mark();
        // A panic is this request's alone: its changes are rolled back, its neighbours go on (R48).
        let operation = &mut self.operation;
        let decide = || match &self.once {
            Some(once) => once.decide(operation, draft),
            None => Ok(operation.decide(draft)?.map(Decided::now)),
        };
        let mut decided = match catch_unwind(AssertUnwindSafe(decide)) {
            Ok(decided) => decided,
            Err(_) => Err(Error::Panicked),
        };
        if decided.is_err() {
            draft.roll_back_to(mark);
        }
        if draft.changed_since(mark)
            && let Err(failure) = draft.end_request(self.at)
        {
            draft.roll_back_to(mark);
            decided = Err(failure.into());
        }
        match decided {
            Ok(Step::Again) => Progress::Again,
            Ok(Step::Done(outcome)) => {
                self.decided = Some(Ok(outcome));
                Progress::Done
            }
            Err(error) => {
                self.decided = Some(Err(error));
                Progress::Done
            }
        }
    }

    fn count(&self, durable: bool, stats: &mut RunningStats) {
        match &self.decided {
            Some(Ok(decided)) if durable => match decided.first {
                None => O::count(&decided.outcome, stats.accepted(O::KIND)),
                Some(_) => stats.repeated(O::KIND),
            },
            _ => stats.refused(O::KIND),
        }
    }

    fn answer(self: Box<Self>, with: Result<SequenceNumber, Error>) {
        let answer = match (with, self.decided) {
            (Ok(sequence), Some(decided)) => {
                decided.map(|Decided { outcome, first }| match first {
                    None => Committed::new(sequence, outcome),
                    Some(first) => Committed::repeated(first, outcome),
                })
            }
            (Ok(_), None) => Err(Error::Panicked),
            // Refused on a state that may never have been: not in whatever reopening finds, and
            // perhaps not refused then.
            (Err(Error::Indeterminate { .. }), Some(Err(_))) => Err(Error::NeedsReopen),
            (Err(error), _) => Err(error),
        };
        // A caller that no longer waits does not need the answer. Sending wakes a caller that waits,
        // and its waker is foreign code: a panic in it must not end the writer.
        let reply = self.reply;
        drop(catch_unwind(AssertUnwindSafe(|| drop(reply.send(answer)))));
    }
}
