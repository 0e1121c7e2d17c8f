//! Waiting on a thread for a future, without a runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread until there is an answer or the time has come. With no deadline: `None` does
/// not come.
pub(crate) fn block_on<T>(
    future: &mut (impl Future<Output = T> + Unpin),
    deadline: Option<Instant>,
) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = Pin::new(&mut *future).poll(&mut context) {
            return Some(answer);
        }
        match deadline {
            None => thread::park(),
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
            },
        }
    }
}
