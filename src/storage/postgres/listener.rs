//! Hears when other hosts wrote.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

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
                    drop(hear(&server, &shared, &told));
                    if !shared.pause() {
                        return;
                    }
                }
            })?;
        Ok(listener)
    }

    /// Has it connect anew after a while, and call then.
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
    const WITHIN: Duration = Duration::from_secs(1);
    let within = server.settings.patience.min(WITHIN);
    let mut connection: Connection = server.connect_once(Purpose::Reading, within)?;
    // The name of the schema names the channel: a database has one store in each.
    let channel = schema::channel(&server.settings.schema);
    connection.run(&format!("LISTEN {channel}"))?;
    let mut state = shared.state();
    if state.has_ended {
        return Ok(());
    }
    state.socket = Some(connection.socket().clone());
    drop(state);
    loop {
        told();
        if !connection.hear() {
            shared.state().socket = None;
            return Ok(());
        }
    }
}
