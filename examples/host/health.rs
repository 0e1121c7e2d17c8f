//! Whether the store takes writes, and bringing that back after a failed commit.
//!
//! A store whose commit failed refuses writes until it is reopened (R49). It knows nothing of HTTP.

use contact_store::{Backoff, ContactStore, Error, KeepOpen, Reopening};

use super::causes::WithCauses;
use super::log::Log;

/// Reopens the store whenever it failed, until it is closed or what this gives is dropped.
pub(crate) fn keep_open(store: &ContactStore, log: Log) -> Result<KeepOpen, Error> {
    store.keep_open(Backoff::default(), move |event| match event {
        Reopening::Waiting { wait } => log.say(&format!(
            "the store takes no writes after a failure; it is reopened in {} ms",
            wait.as_millis()
        )),
        Reopening::Reopened { found } => {
            log.say(&format!("the store is reopened, at number {found}"));
        }
        Reopening::Failed(error) => log.say(&WithCauses(error).to_string()),
        _ => {}
    })
}
