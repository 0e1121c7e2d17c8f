//! Following the changes of a store, for a copy that is to take its place.
//!
//! The writer notes the rows of each commit after it has published the state, so that a state asked for
//! after the changes has them. This module does not know how a copy is made.

use crate::error::Error;
use crate::storage::{ChangedKeys, Changes, Committed, Source, Successor};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, oneshot};

use super::queue::Task;
use super::{Shared, Writer, pending};

/// Who follows the changes, if anyone does, and which there were since they were last asked for.
#[derive(Default)]
pub(super) struct Followed(Mutex<State>);

#[derive(Default)]
struct State {
    changed: Option<ChangedKeys>,
    /// Tells one follower from those before, whose changes were lost.
    follower: u64,
}

impl Followed {
    // A panic while the lock is held leaves keys that were added by halves: of a commit whose panic
    // ends the writer.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new follower; `None` while there is one.
    fn begin(&self) -> Option<u64> {
        let mut state = self.lock();
        if state.changed.is_some() {
            return None;
        }
        state.changed = Some(ChangedKeys::default());
        state.follower = state.follower.wrapping_add(1);
        Some(state.follower)
    }

    /// Notes the rows of a commit, if they are followed.
    pub(super) fn note(&self, changes: &Changes) {
        if let Some(changed) = &mut self.lock().changed {
            changed.add(changes);
        }
    }

    /// Ends the following of any follower: it is unknown what has changed.
    pub(super) fn lose(&self) {
        self.lock().changed = None;
    }

    /// Those that changed since this was called last; `None` once the following has ended.
    pub(super) fn take(&self, follower: u64) -> Option<ChangedKeys> {
        let mut state = self.lock();
        let is_current = state.follower == follower;
        state
            .changed
            .as_mut()
            .filter(|_| is_current)
            .map(std::mem::take)
    }

    fn end(&self, follower: u64) {
        let mut state = self.lock();
        if state.follower == follower {
            state.changed = None;
        }
    }
}

/// The changes of a store, followed until this is dropped.
pub(crate) struct Following<'w> {
    shared: &'w Shared,
    follower: u64,
}

/// A copy that is to take the place of the store's file, for the writer.
pub(super) struct Replacement {
    pub(super) successor: Successor,
    pub(super) follower: u64,
    pub(super) reply: oneshot::Sender<Result<u64, Error>>,
}

impl Writer {
    /// Follows the changes from now on. `None` when they are followed already.
    pub(crate) fn follow(&self) -> Option<Following<'_>> {
        let follower = self.shared.followed.begin()?;
        Some(Following {
            shared: &self.shared,
            follower,
        })
    }
}

impl Following<'_> {
    /// Lets the writer copy the last changes, and put the copy in the place of the file. Gives the length
    /// of the new file.
    pub(crate) fn replace(self, successor: Successor) -> Result<u64, Error> {
        let (reply, answer) = oneshot::channel();
        let replacement = Replacement {
            successor,
            follower: self.follower,
            reply,
        };
        self.shared
            .queue
            .ask(Task::Replace(Box::new(replacement)))?;
        pending::wait_for(answer)
    }
}

impl Source for Following<'_> {
    fn state(&self) -> Result<Arc<Committed>, Error> {
        self.shared.open_state()
    }

    fn changed(&self) -> Result<ChangedKeys, Error> {
        match self.shared.followed.take(self.follower) {
            Some(changed) => Ok(changed),
            // A commit failed meanwhile, perhaps reopened since: what it changed is unknown.
            None => self.shared.open_state().and(Err(Error::NeedsReopen)),
        }
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.shared.followed.end(self.follower);
    }
}
