//! Hears when other hosts wrote.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::DatabaseError;

use super::super::guard::Failure;
use super::link::{Connection, Purpose, Server};
use super::schema;
use super::socket::Socket;

/// A thread with a connection of its own, until this is dropped.
pub(super) struct Listener(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    has_ended: bool,
    /// That of the connection on which the thread hears.
    socket: Option<Socket>,
}

impl Shared {
    // A panic while the lock is held leaves no half-made change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a while. Says whether to go on then.
    fn pause(&self) -> bool {
        const PAUSE: Duration = Duration::from_secs(1);
        let waited = self
            .ended
            .wait_timeout_while(self.state(), PAUSE, |state| !state.has_ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.has_ended
    }
}

impl Listener {
    /// Calls `told` once others may have written: when one tells so, and whenever they can be heard again after a time in
    /// which they could not.
    pub(super) fn begin(
        server: &Arc<Server>,
        told: Box<dyn Fn() + Send + Sync>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ended: Condvar::new(),
        });
        let (listener, server) = (Listener(Arc::clone(&shared)), Arc::clone(server));
        thread::Builder::new()
            .name("contact-store-listener".to_owned())
            .spawn(move || {
                loop {
                    // After each failure they are waited for anew.
                    if hear(&server, &shared, &told).is_err() {
                        server.counts.failures.fetch_add(1, Ordering::Relaxed);
                    }
                    if !shared.pause() {
                        return;
                    }
                }
            })?;
        Ok(listener)
    }

    /// Ends its connection, if it has one. It calls `told` once it is connected again.
    pub(super) fn begin_anew(&self) {
        if let Some(socket) = &self.0.state().socket {
            socket.end();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.state().has_ended = true;
        self.begin_anew();
        self.0.ended.notify_all();
    }
}

/// Hears on one connection until it ends.
fn hear(server: &Arc<Server>, shared: &Shared, told: &dyn Fn()) -> Result<(), Failure> {
    let within = server.settings.patience;
    let mut connection = server.connect_once(Purpose::Reading, within)?;
    {
        let mut state = shared.state();
        if state.has_ended {
            return Ok(());
        }
        state.socket = Some(connection.socket().clone());
    }
    let heard = hear_on(&mut connection, server, shared, told);
    shared.state().socket = None;
    heard
}

fn hear_on(
    connection: &mut Connection,
    server: &Server,
    shared: &Shared,
    told: &dyn Fn(),
) -> Result<(), Failure> {
    // The name of the schema names the channel: a database has one store in each.
    let listen = format!("LISTEN {}", schema::channel(&server.settings.schema));
    loop {
        match connection.run(&listen) {
            // A standby tells nothing. Until it takes over, it has to be asked.
            Err(Failure::Database(DatabaseError::ReadOnlyServer)) => {
                told();
                if !shared.pause() {
                    return Ok(());
                }
            }
            Err(failure) => return Err(failure),
            Ok(()) => break,
        }
    }
    loop {
        told();
        if !connection.hear() {
            return Ok(());
        }
    }
}
