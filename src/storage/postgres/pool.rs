//! The connections of snapshots.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::DatabaseError;

use super::super::guard::Failure;
use super::link::{Connection, Server};

/// Connections that are given out one by one.
pub(crate) struct Pool {
    server: Arc<Server>,
    state: Mutex<State>,
    came_back: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Those that are idle, and those given out.
    all: usize,
}

impl Pool {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Pool {
            server,
            state: Mutex::default(),
            came_back: Condvar::new(),
        }
    }

    // A panic while the lock is held leaves no half-made change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection, or makes one. Waits for one while as many are given out as there may be.
    pub(super) fn take(&self) -> Result<Connection, Failure> {
        let most = self.server.settings.connections;
        let mut state = self.state();
        loop {
            while let Some(connection) = state.idle.pop() {
                if !connection.is_closed() {
                    return Ok(connection);
                }
                state.all = state.all.saturating_sub(1);
            }
            if state.all < most {
                state.all = state.all.saturating_add(1);
                drop(state);
                return self.server.connect().inspect_err(|_| self.lose());
            }
            let waited = self
                .came_back
                .wait_timeout(state, self.server.settings.patience);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now;
            if timeout.timed_out() && state.idle.is_empty() && state.all >= most {
                return Err(Failure::Database(DatabaseError::NoConnection { most }));
            }
        }
    }

    /// Takes back a connection without a transaction.
    fn put(&self, connection: Connection) {
        self.state().idle.push(connection);
        self.came_back.notify_one();
    }

    /// Forgets a connection that was given out.
    pub(super) fn lose(&self) {
        let mut state = self.state();
        state.all = state.all.saturating_sub(1);
        drop(state);
        self.came_back.notify_one();
    }

    /// Ends the transaction of a connection that was given out, and takes it back. Nobody waits for that.
    pub(super) fn end(self: &Arc<Self>, connection: Connection) {
        let pool = Arc::clone(self);
        connection.ask_later("ROLLBACK", move |connection| match connection {
            Some(connection) => pool.put(connection),
            None => pool.lose(),
        });
    }
}
