//! The command `changes`: what changed in a store with a change feed, once or as it changes.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use contact_store::{
    Change, ChangePage, ChangePosition, Changed, Check, ContactStore, Create, Error, OpenError,
    Options, wire,
};

use crate::failure::Failure;
use crate::open::open;
use crate::place::Place;
use crate::show::{Output, Table, time};

/// Changes that are read at a time.
const PAGE: usize = 1_000;
/// A store that is open for reading shows one state: a later one takes another opening.
const PAUSE: Duration = Duration::from_secs(1);

/// Lists the changes after a position.
pub(crate) fn list(
    place: &Place,
    after: Option<&str>,
    limit: Option<&str>,
    follow: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let after = after.map(ChangePosition::parse).transpose()?;
    let mut read_to = after.unwrap_or(ChangePosition::START);
    let mut left = limit.map_or(Ok(usize::MAX), count)?;
    let mut store = Some(open(place)?);
    loop {
        if let Some(store) = &store {
            read(store, &mut read_to, &mut left, output)?;
        }
        if !follow || left == 0 {
            return Ok(());
        }
        output.flush()?;
        sleep(PAUSE);
        // A database shows what others write without being opened again.
        if let Some(path) = place.path() {
            store = open_again(path)?;
        }
    }
}

fn count(text: &str) -> Result<usize, Failure> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| Failure::usage("--limit must be an integer from 1"))
}

/// Opens the store to look for what is new. `None` while a host is just opening it.
fn open_again(path: &Path) -> Result<Option<ContactStore>, Failure> {
    let options = Options::default()
        .create(Create::Never)
        .read_only(true)
        // It was verified when it was opened first.
        .check(Check::IfUnclean)
        .index_memory(0)
        .card_memory(0);
    match ContactStore::open(path, options) {
        Ok(store) => Ok(Some(store)),
        Err(Error::Open(OpenError::AlreadyOpen)) => Ok(None),
        Err(error) => Err(Failure::opening(&path.into(), error)),
    }
}

/// Prints what a store has after a position, at most `left` changes.
fn read(
    store: &ContactStore,
    read_to: &mut ChangePosition,
    left: &mut usize,
    output: &mut Output,
) -> Result<(), Failure> {
    let now = store.snapshot()?;
    loop {
        if *left == 0 {
            return Ok(());
        }
        let page: ChangePage = now.changes(*read_to, PAGE.min(*left))?;
        *read_to = page.position;
        *left = left.saturating_sub(page.changes.len());
        print(&page.changes, output)?;
        if !page.more {
            return Ok(());
        }
    }
}

fn print(changes: &[Change], output: &mut Output) -> Result<(), Failure> {
    if output.json {
        for change in changes {
            output.object(&wire::change(change))?;
        }
        return Ok(());
    }
    let mut table = Table::without_names(output);
    for change in changes {
        table.row([
            change.position.to_string(),
            time(change.at),
            words(change.what),
        ])?;
    }
    Ok(table.end()?)
}

/// A change in words.
fn words(what: Changed) -> String {
    match what {
        Changed::ContactCreated { contact } => format!("contact {contact} created"),
        Changed::ContactUpdated { contact } => format!("contact {contact} updated"),
        Changed::ContactErased { contact } => format!("contact {contact} erased"),
        Changed::ContactMerged { contact, into } => {
            format!("contact {contact} merged into contact {into}")
        }
        Changed::ContactUnmerged { contact, from } => {
            format!("contact {contact} taken out of contact {from}")
        }
        Changed::ContactSplitOff { contact, from } => {
            format!("contact {contact} split off contact {from}")
        }
        Changed::TokenAdded {
            contact,
            app,
            subscriber,
        } => format!("contact {contact}: token added, subscriber {subscriber} of app {app}"),
        Changed::TokenMoved {
            contact,
            app,
            subscriber,
        } => format!("contact {contact}: token moved to it, subscriber {subscriber} of app {app}"),
        Changed::TokenRenamed {
            contact,
            app,
            subscriber,
        } => format!("contact {contact}: token renamed, subscriber {subscriber} of app {app}"),
        Changed::TokenMuted {
            contact,
            app,
            subscriber,
        } => format!("contact {contact}: token muted, subscriber {subscriber} of app {app}"),
        Changed::TokenUnmuted {
            contact,
            app,
            subscriber,
        } => format!("contact {contact}: token unmuted, subscriber {subscriber} of app {app}"),
        Changed::TokenRemoved {
            contact,
            app,
            subscriber,
            why,
        } => format!(
            "contact {contact}: token removed ({why}), subscriber {subscriber} of app {app}"
        ),
        Changed::AppConnected { app } => format!("app {app} connected"),
        Changed::AppUpdated { app } => format!("app {app} updated"),
        Changed::AppDisconnected { app } => format!("app {app} disconnected"),
        // Of a later version of the library: its JSON says what it is.
        _ => "another change".to_owned(),
    }
}
