//! What a write does when the queue is full.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Busy,
    Wait,
}
