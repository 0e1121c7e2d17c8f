//! The bounded queue between the callers and the writer.
//!
//! First come, first served. What does not fit waits in the lobby, on the account of the caller who
//! holds its pending write. This module does not know what a job is about.

use std::collections::{BTreeMap, VecDeque};

use crate::error::Error;
use crate::limits::{COMMIT_ENTRIES, COMMIT_TEXT_BYTES, Limits};
use crate::model::sequence::SequenceNumber;
use crate::operations::operation::Size;
use crate::options::WhenFull;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, oneshot};

use super::following::Replacement;
use super::job::Job;

/// What the writer is asked to do other than deciding jobs.
pub(super) enum Task {
    /// Reopen the file.
    Reopen(oneshot::Sender<Result<SequenceNumber, Error>>),
    /// Fold the indexes, a part with each commit.
    Fold(oneshot::Sender<Result<(), Error>>),
    /// Put a copy in the place of the file.
    Replace(Box<Replacement>),
    /// Look where the store stands, for those who wait for changes that other hosts make.
    Look,
}

impl Task {
    fn refuse(self, error: Error) {
        // Who asked may have stopped waiting.
        match self {
            Task::Reopen(reply) => drop(reply.send(Err(error))),
            Task::Fold(reply) => drop(reply.send(Err(error))),
            Task::Replace(replacement) => drop(replacement.reply.send(Err(error))),
            Task::Look => {}
        }
    }
}

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
    tasks: VecDeque<Task>,
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
    /// Do this first.
    Task(Task),
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
            self.wake.notify_one();
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

    /// Asks the writer to do something before it decides more jobs.
    pub(super) fn ask(&self, task: Task) -> Result<(), Error> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::Closed);
        }
        waiting.tasks.push_back(task);
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
        for job in lobby.into_values() {
            job.answer(Err(Error::Closed));
        }
    }

    /// Empties the queue: for a writer that ends before its time.
    pub(super) fn abandon(&self) {
        self.close();
        let mut waiting = self.lock();
        let jobs = std::mem::take(&mut waiting.jobs);
        let tasks = std::mem::take(&mut waiting.tasks);
        waiting.text_bytes = 0;
        drop(waiting);
        for job in jobs {
            job.answer(Err(Error::Closed));
        }
        for task in tasks {
            task.refuse(Error::Closed);
        }
    }

    /// The writer's next task. With `wait`, waits until there is one.
    pub(super) fn next(&self, wait: bool) -> Next {
        let mut waiting = self.lock();
        loop {
            if let Some(task) = waiting.tasks.pop_front() {
                return Next::Task(task);
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
