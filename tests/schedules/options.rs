//! What a write does when the queue is full, as the writer is told.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Busy,
    Wait,
}
