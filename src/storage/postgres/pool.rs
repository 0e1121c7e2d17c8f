//! The connections of snapshots.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::DatabaseError;
use crate::stats::DatabaseStats;

use super::super::guard::Failure;
use super::link::{Connection, Purpose, Server};

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

/// A connection that was taken.
pub(super) enum Taken {
    /// It was not used for a while, and may have been lost since.
    Idle(Connection),
    New(Connection),
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

    /// Takes a connection, or makes one, and says which. Waits for one while as many are given out as there may
    /// be.
    pub(super) fn take(&self) -> Result<Taken, Failure> {
        let most = self.server.settings.connections;
        let began = Instant::now();
        let mut state = self.state();
        loop {
            while let Some(mut connection) = state.idle.pop() {
                if !connection.has_ended() {
                    return Ok(Taken::Idle(connection));
                }
                state.all = state.all.saturating_sub(1);
            }
            if state.all < most {
                state.all = state.all.saturating_add(1);
                drop(state);
                let connected = self.server.connect(Purpose::Reading);
                return connected.map(Taken::New).inspect_err(|_| self.lose());
            }
            let left = self
                .server
                .settings
                .patience
                .saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(Failure::Database(DatabaseError::NoConnection { most }));
            }
            let waited = self.came_back.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Forgets the connections that nobody uses: one of them was found lost, and a server that restarts loses
    /// all.
    pub(super) fn forget_idle(&self) {
        let mut state = self.state();
        let idle = std::mem::take(&mut state.idle);
        state.all = state.all.saturating_sub(idle.len());
        drop(state);
        self.came_back.notify_all();
    }

    pub(super) fn patience(&self) -> Duration {
        self.server.settings.patience
    }

    /// What the connections of the store did, those of its writer and its listener among them.
    pub(crate) fn stats(&self) -> DatabaseStats {
        let counts = &self.server.counts;
        /// That of the writer, and that of the listener.
        const OTHERS: usize = 2;
        let snapshots = self.server.settings.connections;
        DatabaseStats {
            open_connections: counts.open.load(Ordering::Relaxed),
            idle_connections: self.state().idle.len(),
            most_connections: snapshots.saturating_add(OTHERS),
            connections_made: counts.connections.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            round_trips: counts.round_trips.load(Ordering::Relaxed),
            since_answer: counts.since_answer(),
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
    pub(super) fn end(&self, mut connection: Connection) {
        if connection.send("ROLLBACK") {
            self.put(connection);
        } else {
            drop(connection);
            self.lose();
        }
    }
}
