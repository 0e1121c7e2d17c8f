//! Drives a connection on the thread that waits for its answers.
//!
//! The client comes in two parts: one takes statements and gives their answers, the other reads and writes. The usual
//! way is to give the second to a runtime. Each answer would then wake two threads, which takes longer than the server
//! does over a socket of the same machine.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use tokio_postgres::error::Severity;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Error};

use super::super::guard::guarded;
use super::socket::{Socket, Waiter};

type Next = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// Notes that something polled has become ready.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Reads and writes for a connection.
pub(super) struct Driver {
    messages: Messages,
    waiter: Waiter,
}

struct Messages {
    /// Gives what nobody asked for. `None` once the connection has ended.
    next: Option<Next>,
    has_warned: bool,
    was_notified: bool,
}

impl Drop for Driver {
    /// Says goodbye to the server, if the client was dropped before and no answer is on its way.
    fn drop(&mut self) {
        let looked = guarded(|| {
            // What came and was not read would make the server take the end for a failure.
            self.look();
            Ok(())
        });
        // The connection ends in any case.
        drop(looked);
    }
}

impl Messages {
    /// Reads and writes as far as that goes without waiting.
    fn turn(&mut self, context: &mut Context<'_>) {
        /// After so many that nobody asked for, the caller looks at the time.
        const MOST: usize = 1_000;
        for _ in 0..MOST {
            let Some(next) = &mut self.next else {
                return;
            };
            match next(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    // That others are slow to hear says nothing of the commit that it comes with.
                    let is_of_listeners = notice.routine() == Some("asyncQueueFillWarning");
                    let is_warning = notice.parsed_severity() == Some(Severity::Warning);
                    self.has_warned |= is_warning && !is_of_listeners;
                }
                Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => self.was_notified = true,
                Poll::Ready(Some(Ok(_))) => {}
                // With it go those whose answers will not come.
                Poll::Ready(Some(Err(_)) | None) => self.next = None,
            }
        }
        context.waker().wake_by_ref();
    }

    fn has_ended(&self) -> bool {
        self.next.is_none()
    }
}

/// Polls until there is an answer. Gives `None` when the time is over before.
fn wait_on<T>(
    waiter: &mut Waiter,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = poll(&mut context) {
            return Some(answer);
        }
        let goes_on = match woken.0.swap(false, Ordering::Acquire) {
            true => deadline.is_none_or(|deadline| Instant::now() < deadline),
            false => waiter.wait(deadline),
        };
        if !goes_on {
            return None;
        }
    }
}

impl Driver {
    /// Enters a database. Gives `None` when the time is over before.
    pub(super) fn enter<T>(
        mut waiter: Waiter,
        config: &Config,
        tls: T,
        deadline: Instant,
    ) -> Option<Result<(Client, Self), Error>>
    where
        T: TlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let mut entered = pin!(config.connect_raw(waiter.socket().clone(), tls));
        let entered = wait_on(&mut waiter, Some(deadline), |context| {
            entered.as_mut().poll(context)
        })?;
        Some(entered.map(|(client, mut connection)| {
            let messages = Messages {
                next: Some(Box::new(move |context| connection.poll_message(context))),
                has_warned: false,
                was_notified: false,
            };
            (client, Driver { messages, waiter })
        }))
    }

    /// Waits for an answer. Gives `None` when the time is over before, or the connection has ended. It ends with that:
    /// a server that does not answer may never do so.
    pub(super) fn answer<T>(
        &mut self,
        asked: impl Future<Output = Result<T, Error>>,
        deadline: Option<Instant>,
    ) -> Option<Result<T, Error>> {
        let (messages, mut asked) = (&mut self.messages, pin!(asked));
        let answer = wait_on(&mut self.waiter, deadline, |context| {
            if let Poll::Ready(answer) = asked.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            messages.turn(context);
            match asked.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if messages.has_ended() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        if answer.is_none() {
            self.messages.next = None;
            self.socket().end();
        }
        answer.flatten()
    }

    /// Sends what was asked, and does not wait for the answer. The next that is waited for comes after it.
    pub(super) fn send<T>(&mut self, asked: impl Future<Output = Result<T, Error>>) {
        let mut context = Context::from_waker(Waker::noop());
        // The answer has nowhere to go, and is dropped once it comes.
        drop(pin!(asked).poll(&mut context));
        self.messages.turn(&mut context);
    }

    /// Waits until the server notifies of something, or the connection ends: then `false`.
    pub(super) fn hear(&mut self) -> bool {
        let messages = &mut self.messages;
        let heard = wait_on(&mut self.waiter, None, |context| {
            messages.turn(context);
            match std::mem::take(&mut messages.was_notified) {
                true => Poll::Ready(true),
                false if messages.has_ended() => Poll::Ready(false),
                false => Poll::Pending,
            }
        });
        heard == Some(true)
    }

    /// Whether the server warned of something since this was asked last.
    pub(super) fn has_warned(&mut self) -> bool {
        std::mem::take(&mut self.messages.has_warned)
    }

    /// Whether the connection has ended, as far as is known.
    pub(super) fn has_ended(&self) -> bool {
        self.messages.has_ended()
    }

    /// Looks whether the server has ended the connection meanwhile.
    pub(super) fn look(&mut self) {
        self.socket().look();
        let mut context = Context::from_waker(Waker::noop());
        self.messages.turn(&mut context);
    }

    pub(super) fn socket(&self) -> &Socket {
        self.waiter.socket()
    }
}
