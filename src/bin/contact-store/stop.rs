//! Ctrl-C, a `kill` and a closed terminal, as a question that is asked now and then.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;

/// Whether the command was told to stop. Without one, a signal ends the process at once: right for
/// commands that only read, and for an upgrade, whose one commit is in or is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on, signals only set this.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let stop = Stop::default();
        for signal in [
            SIGINT,
            SIGTERM,
            #[cfg(unix)]
            signal_hook::consts::SIGHUP,
        ] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0)).map_err(Failure::Signals)?;
        }
        Ok(stop)
    }

    /// Fails once it was told to stop.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Failure::Stopped),
            false => Ok(()),
        }
    }

    /// The same, for a function of the library that asks whether to go on.
    pub(crate) fn goes_on(&self) -> ControlFlow<()> {
        match self.check() {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}
