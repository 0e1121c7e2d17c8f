//! A channel for one value, of the same promises as that of `futures-channel`: the value is there
//! before the receiver is woken, and a sender that goes without one wakes it too.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Mutex::new(Channel {
        value: None,
        waker: None,
        sender_gone: false,
        receiver_gone: false,
    }));
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

struct Channel<T> {
    value: Option<T>,
    waker: Option<Waker>,
    sender_gone: bool,
    receiver_gone: bool,
}

pub(crate) struct Sender<T>(Arc<Mutex<Channel<T>>>);

pub(crate) struct Receiver<T>(Arc<Mutex<Channel<T>>>);

// A sender that is dropped while its thread unwinds leaves the lock poisoned.
fn lock<T>(channel: &Mutex<Channel<T>>) -> MutexGuard<'_, Channel<T>> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sender went without sending anything.
#[derive(Debug)]
pub(crate) struct Canceled;

impl<T> Sender<T> {
    /// Dropping the sender wakes the receiver.
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        let mut channel = lock(&self.0);
        if channel.receiver_gone {
            return Err(value);
        }
        channel.value = Some(value);
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut channel = lock(&self.0);
        channel.sender_gone = true;
        let waker = channel.waker.take();
        drop(channel);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Canceled>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut channel = lock(&self.0);
        if let Some(value) = channel.value.take() {
            return Poll::Ready(Ok(value));
        }
        if channel.sender_gone {
            return Poll::Ready(Err(Canceled));
        }
        channel.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        lock(&self.0).receiver_gone = true;
    }
}
