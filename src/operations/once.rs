//! A request that is done once, however often it is repeated under its idempotency key (R64).
//!
//! This module does not know where answers are kept, nor what an operation does.

use crate::error::Error;
use crate::operations::operation::{Decided, Operation, Step};
use crate::operations::remembered::{Forgotten, Memo, Memory, Remembered};
use crate::storage::{Draft, Failure, Keyed, Known};

/// The idempotency key of a request, and how the outcomes of its operation are kept.
pub(crate) struct Once<O: Operation> {
    keyed: Keyed,
    put: fn(&O::Outcome, &mut Memo<'_>),
    take: fn(Memory<'_>) -> Result<O::Outcome, Forgotten>,
}

impl<O: Operation<Outcome: Remembered>> Once<O> {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Once {
            keyed,
            put: O::Outcome::put,
            take: |from| from.take_all(),
        }
    }
}

impl<O: Operation> Once<O> {
    /// Decides the request, unless it was done before, and keeps its outcome.
    pub(crate) fn decide(
        &self,
        operation: &mut O,
        draft: &mut Draft<'_>,
    ) -> Result<Step<Decided<O::Outcome>>, Error> {
        // Before deciding, which takes the entries.
        let refused = operation.refused_entries();
        match draft.known_request(&self.keyed)? {
            Known::New => {}
            Known::UnderWay => return Ok(Step::Again),
            Known::Other => return Err(Error::IdempotencyKeyReused),
            Known::Done(first, outcome) => {
                let outcome = (self.take)(Memory::new(&outcome, &refused));
                return match outcome {
                    Ok(outcome) => Ok(Step::Done(Decided::before(first, outcome))),
                    Err(Forgotten::OtherRefused) => Err(Error::IdempotencyKeyReused),
                    Err(Forgotten::Malformed) => Err(MALFORMED.into()),
                };
            }
        }
        match operation.decide(draft)? {
            Step::Again => {
                draft.note_under_way(&self.keyed);
                Ok(Step::Again)
            }
            Step::Done(outcome) => {
                let mut memo = Memo::new(&refused);
                (self.put)(&outcome, &mut memo);
                draft.keep_answer(&self.keyed, memo.into_bytes())?;
                Ok(Step::Done(Decided::now(outcome)))
            }
        }
    }
}

const MALFORMED: Failure = Failure::Corrupt("an outcome that does not decode");
