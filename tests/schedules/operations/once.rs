//! Idempotency keys, which no request of these tests has.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::error::Error;
use crate::storage::Draft;

use super::operation::{Decided, Operation, Step};

pub(crate) struct Once<O: Operation> {
    never: Infallible,
    of: PhantomData<fn(O)>,
}

impl<O: Operation> Once<O> {
    pub(crate) fn decide(
        &self,
        _: &mut O,
        _: &mut Draft<'_>,
    ) -> Result<Step<Decided<O::Outcome>>, Error> {
        match self.never {}
    }
}
