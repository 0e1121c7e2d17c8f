//! Functions of the caller that are called while the storage engine is at work.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Keeps a panic of the caller's function until the work is over: one that unwound through the work
/// would be taken for a panic of the storage engine.
#[derive(Default)]
pub(crate) struct Callback {
    panic: Option<Box<dyn Any + Send>>,
}

impl Callback {
    /// Calls the function. Answers whether the work goes on: not after a panic.
    pub(crate) fn goes_on(&mut self, call: impl FnOnce() -> ControlFlow<()>) -> bool {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(flow) => flow.is_continue(),
            Err(panic) => {
                self.panic = Some(panic);
                false
            }
        }
    }

    /// Ends the work: a panic of the function goes on from here.
    pub(crate) fn end(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}
