//! The bounded queue between the callers and the writer.
//!
//! First come, first served. What does not fit waits in the lobby, on the account of the caller who
//! holds its pending write. This module does not know what a job is about.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use crate::error::Error;
use crate::limits::{COMMIT_ENTRIES, COMMIT_TEXT_BYTES, Limits};
use crate::operation::Size;
use crate::options::WhenFull;
use crate::seeded::{SeededFault, seeded};
use crate::sequence::SequenceNumber;

use super::job::Job;

/// What the writer is asked to do besides deciding jobs.
pub(crate) type ReopenReply = oneshot::Sender<Result<SequenceNumber, Error>>;

/// The queue.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    most_requests: usize,
    most_text_bytes: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    text_bytes: usize,
    /// By ticket, that is, in the order of arrival.
    lobby: BTreeMap<u64, Box<dyn Job>>,
    next_ticket: u64,
    reopen: VecDeque<ReopenReply>,
    closed: bool,
}

/// How much waits in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) requests: usize,
    pub(crate) text_bytes: usize,
    /// Requests that wait for a place in it.
    pub(crate) lobby: usize,
}

/// What the writer is to do next.
pub(super) enum Next {
    /// Decide these. There may be none, when the writer did not want to wait.
    Jobs(Vec<Box<dyn Job>>),
    /// Reopen the file.
    Reopen(ReopenReply),
    /// Everything is answered and nothing more will come.
    End,
}

impl Queue {
    pub(crate) fn new(limits: &Limits) -> Self {
        Queue {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            most_requests: limits.waiting_requests,
            most_text_bytes: limits.waiting_text_bytes,
        }
    }

    // A panic while the lock is held cannot leave a half-made change: each is one push or pop.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job. Gives a ticket when it is in the lobby.
    pub(super) fn submit(
        &self,
        job: Box<dyn Job>,
        when_full: WhenFull,
    ) -> Result<Option<u64>, Error> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::Closed);
        }
        if waiting.lobby.is_empty() && self.fits(&waiting, job.size()) {
            waiting.push(job);
            drop(waiting);
            if !seeded(SeededFault::LostWakeUp) {
                self.wake.notify_one();
            }
            return Ok(None);
        }
        match when_full {
            WhenFull::Busy => Err(Error::Busy {
                waiting_requests: waiting.jobs.len(),
                waiting_text_bytes: waiting.text_bytes,
            }),
            WhenFull::Wait => {
                let ticket = waiting.next_ticket;
                waiting.next_ticket = ticket.wrapping_add(1);
                waiting.lobby.insert(ticket, job);
                Ok(Some(ticket))
            }
        }
    }

    fn fits(&self, waiting: &Waiting, size: Size) -> bool {
        // An empty queue takes any one request, whose own limits were checked before.
        waiting.jobs.is_empty()
            || (waiting.jobs.len() < self.most_requests
                && waiting.text_bytes.saturating_add(size.text_bytes) <= self.most_text_bytes)
    }

    /// Withdraws a job that is still in the lobby.
    pub(super) fn withdraw(&self, ticket: u64) {
        let withdrawn = self.lock().lobby.remove(&ticket);
        // Dropped without the lock: a job is the caller's data and may take its time.
        drop(withdrawn);
    }

    /// Asks the writer to reopen the file.
    pub(super) fn ask_reopen(&self, reply: ReopenReply) -> Result<(), Error> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::Closed);
        }
        waiting.reopen.push_back(reply);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes no more jobs. Those that are queued will still be decided; those in the lobby are
    /// answered now.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let lobby = std::mem::take(&mut waiting.lobby);
        drop(waiting);
        self.wake.notify_one();
        if seeded(SeededFault::LobbyForgottenOnClose) {
            return std::mem::forget(lobby);
        }
        for job in lobby.into_values() {
            job.answer(Err(Error::Closed));
        }
    }

    /// Empties the queue: for a writer that ends before its time.
    pub(super) fn abandon(&self) {
        self.close();
        let mut waiting = self.lock();
        let jobs = std::mem::take(&mut waiting.jobs);
        let reopen = std::mem::take(&mut waiting.reopen);
        drop(waiting);
        for job in jobs {
            job.answer(Err(Error::Closed));
        }
        for reply in reopen {
            drop(reply.send(Err(Error::Closed)));
        }
    }

    /// What to do next. With `wait`, waits until there is something.
    pub(super) fn next(&self, wait: bool) -> Next {
        let mut waiting = self.lock();
        loop {
            if let Some(reply) = waiting.reopen.pop_front() {
                return Next::Reopen(reply);
            }
            if !waiting.jobs.is_empty() {
                let jobs = waiting.pop_group();
                self.admit(&mut waiting);
                return Next::Jobs(jobs);
            }
            if waiting.closed {
                return Next::End;
            }
            if !wait {
                return Next::Jobs(Vec::new());
            }
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn admit(&self, waiting: &mut Waiting) {
        while let Some(first) = waiting.lobby.first_entry() {
            let size = first.get().size();
            if !self.fits(waiting, size) {
                return;
            }
            if let Some((_, job)) = waiting.lobby.pop_first() {
                waiting.push(job);
            }
        }
    }

    pub(super) fn load(&self) -> Load {
        let waiting = self.lock();
        Load {
            requests: waiting.jobs.len(),
            text_bytes: waiting.text_bytes,
            lobby: waiting.lobby.len(),
        }
    }
}

impl Waiting {
    fn push(&mut self, job: Box<dyn Job>) {
        self.text_bytes = self.text_bytes.saturating_add(job.size().text_bytes);
        self.jobs.push_back(job);
    }

    /// The jobs that share the next commit.
    fn pop_group(&mut self) -> Vec<Box<dyn Job>> {
        let mut group = Vec::new();
        let mut size = Size::default();
        while let Some(job) = self.jobs.pop_front() {
            let with_job = size.plus(job.size());
            let full = with_job.entries > COMMIT_ENTRIES || with_job.text_bytes > COMMIT_TEXT_BYTES;
            if full && !group.is_empty() {
                self.jobs.push_front(job);
                break;
            }
            self.text_bytes = self.text_bytes.saturating_sub(job.size().text_bytes);
            size = with_job;
            group.push(job);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::storage::Draft;
    use crate::writer::job::Progress;
    use std::sync::mpsc;

    struct Stub {
        size: Size,
        answered: mpsc::Sender<String>,
    }

    impl Job for Stub {
        fn size(&self) -> Size {
            self.size
        }

        fn decide(&mut self, _: &mut Draft<'_>) -> Progress {
            Progress::Done
        }

        fn count(&self, _: bool, _: &mut Figures) {}

        fn answer(self: Box<Self>, with: Result<SequenceNumber, Error>) {
            let answer = with.map_or_else(|error| error.to_string(), |number| number.to_string());
            drop(self.answered.send(answer));
        }
    }

    type MakeJob = Box<dyn Fn(usize, usize) -> Box<dyn Job>>;

    /// A queue, what makes jobs of so many entries and bytes for it, and what they are answered.
    fn queue(
        most_requests: usize,
        most_text_bytes: usize,
    ) -> (Queue, MakeJob, mpsc::Receiver<String>) {
        let limits = Limits {
            waiting_requests: most_requests,
            waiting_text_bytes: most_text_bytes,
            ..Limits::default()
        };
        let (answered, answers) = mpsc::channel();
        let job = move |entries, text_bytes| -> Box<dyn Job> {
            Box::new(Stub {
                size: Size {
                    entries,
                    text_bytes,
                },
                answered: answered.clone(),
            })
        };
        (Queue::new(&limits), Box::new(job), answers)
    }

    fn taken(queue: &Queue) -> Vec<usize> {
        match queue.next(false) {
            Next::Jobs(jobs) => jobs.iter().map(|job| job.size().entries).collect(),
            Next::Reopen(_) | Next::End => Vec::new(),
        }
    }

    #[test]
    fn a_full_queue_says_how_full_it_is() {
        let (queue, job, _answers) = queue(2, 100);
        assert!(matches!(queue.submit(job(1, 10), WhenFull::Busy), Ok(None)));
        assert!(matches!(queue.submit(job(1, 10), WhenFull::Busy), Ok(None)));
        assert!(matches!(
            queue.submit(job(1, 10), WhenFull::Busy),
            Err(Error::Busy {
                waiting_requests: 2,
                waiting_text_bytes: 20
            })
        ));
    }

    #[test]
    fn text_is_bounded_as_well_but_one_request_always_fits() {
        let (queue, job, _answers) = queue(10, 100);
        assert!(matches!(
            queue.submit(job(1, 500), WhenFull::Busy),
            Ok(None)
        ));
        assert!(matches!(
            queue.submit(job(1, 1), WhenFull::Busy),
            Err(Error::Busy {
                waiting_requests: 1,
                waiting_text_bytes: 500
            })
        ));
    }

    #[test]
    fn the_lobby_is_let_in_in_order_and_nobody_overtakes_it() {
        let (queue, job, _answers) = queue(1, 100);
        assert!(matches!(queue.submit(job(1, 0), WhenFull::Wait), Ok(None)));
        assert!(matches!(
            queue.submit(job(2, 0), WhenFull::Wait),
            Ok(Some(0))
        ));
        assert!(matches!(
            queue.submit(job(3, 0), WhenFull::Wait),
            Ok(Some(1))
        ));
        let load = |requests, lobby| Load {
            requests,
            text_bytes: 0,
            lobby,
        };
        assert_eq!(queue.load(), load(1, 2));
        assert_eq!(taken(&queue), [1]);
        assert_eq!(queue.load(), load(1, 1));
        assert!(matches!(
            queue.submit(job(4, 0), WhenFull::Busy),
            Err(Error::Busy { .. })
        ));
        assert_eq!(taken(&queue), [2]);
        assert_eq!(taken(&queue), [3]);
        assert_eq!(queue.load(), load(0, 0));
    }

    #[test]
    fn a_withdrawn_job_is_never_let_in() {
        let (queue, job, _answers) = queue(1, 100);
        assert!(matches!(queue.submit(job(1, 0), WhenFull::Wait), Ok(None)));
        assert!(matches!(
            queue.submit(job(2, 0), WhenFull::Wait),
            Ok(Some(0))
        ));
        queue.withdraw(0);
        assert_eq!(taken(&queue), [1]);
        assert_eq!(taken(&queue), [0; 0]);
    }

    #[test]
    fn a_commit_takes_at_least_one_request_and_no_more_than_its_bounds() {
        let (queue, job, _answers) = queue(10, 100 << 20);
        for entries in [5_000, 4_000, 96, 1] {
            assert!(matches!(
                queue.submit(job(entries, 0), WhenFull::Busy),
                Ok(None)
            ));
        }
        assert_eq!(taken(&queue), [5_000]);
        assert_eq!(taken(&queue), [4_000, 96]);
        assert_eq!(taken(&queue), [1]);
        for text in [3 << 20, 2 << 20, 1] {
            assert!(matches!(
                queue.submit(job(1, text), WhenFull::Busy),
                Ok(None)
            ));
        }
        assert_eq!(taken(&queue).len(), 1);
        assert_eq!(taken(&queue).len(), 2);
    }

    #[test]
    fn closing_answers_the_lobby_and_lets_the_writer_finish_the_queue() {
        let (queue, job, answers) = queue(1, 100);
        assert!(matches!(queue.submit(job(1, 0), WhenFull::Wait), Ok(None)));
        assert!(matches!(
            queue.submit(job(2, 0), WhenFull::Wait),
            Ok(Some(0))
        ));
        queue.close();
        assert_eq!(
            answers.try_iter().collect::<Vec<_>>(),
            ["the store is closed"]
        );
        assert!(matches!(
            queue.submit(job(3, 0), WhenFull::Wait),
            Err(Error::Closed)
        ));
        assert_eq!(taken(&queue), [1]);
        assert!(matches!(queue.next(true), Next::End));
    }
}
