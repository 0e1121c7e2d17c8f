//! Commands about apps: `apps`, `subscribers` and `messages`.

use contact_store::{AppId, Error, wire};
use serde::Serialize;

use crate::failure::Failure;
use crate::open::open;
use crate::place::Place;
use crate::show::{Output, Table, time};

/// The connected apps.
pub(crate) fn list(place: &Place, output: &mut Output) -> Result<(), Failure> {
    let apps = open(place)?.snapshot()?.apps()?;
    if output.json {
        for app in &apps {
            output.object(&wire::app(app))?;
        }
        return Ok(());
    }
    let names = ["APP", "NAME", "SUBSCRIBERS", "CONTACTS", "CONNECTED AT"];
    let mut table = Table::new(output, &names);
    for app in &apps {
        table.row([
            app.id.to_string(),
            app.name.to_string(),
            app.subscribers.to_string(),
            app.contacts.to_string(),
            time(app.connected_at),
        ])?;
    }
    Ok(table.end()?)
}

/// The subscribers of an app, or how many there are.
pub(crate) fn subscribers(
    place: &Place,
    app: &str,
    count: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let app = AppId::parse(app)?;
    let store = open(place)?;
    let now = store.snapshot()?;
    if count {
        let subscribers = now.app(app)?.ok_or(Error::UnknownApp(app))?.subscribers;
        match output.json {
            true => output.object(&Count { subscribers })?,
            false => output.line(&subscribers.to_string())?,
        }
        return Ok(());
    }
    if output.json {
        for subscriber in now.iter_subscribers(app) {
            output.object(&wire::subscriber(&subscriber?))?;
        }
        return Ok(());
    }
    let names = [
        "SUBSCRIBER",
        "TOKEN",
        "CONTACTS",
        "LAST REGISTERED AT",
        "LAST STATUS",
        "LAST STATUS AT",
        "SENT",
        "FAILED",
        "CLICKED",
        "MUTED UNTIL",
    ];
    let mut table = Table::new(output, &names);
    for subscriber in now.iter_subscribers(app) {
        let subscriber = subscriber?;
        let contacts: Vec<String> = subscriber
            .contacts
            .iter()
            .map(ToString::to_string)
            .collect();
        let (status, at) = match subscriber.last_status {
            Some((status, at)) => (status.to_string(), time(at)),
            None => Default::default(),
        };
        table.row([
            subscriber.id.to_string(),
            subscriber.token.as_str().to_owned(),
            contacts.join(","),
            time(subscriber.last_registered_at),
            status,
            at,
            subscriber.counts.sent.to_string(),
            subscriber.counts.failed.to_string(),
            subscriber.counts.clicked.to_string(),
            match subscriber.muted {
                Some(end) => end.time().map_or_else(|| "unmuted".to_owned(), time),
                None => String::new(),
            },
        ])?;
    }
    Ok(table.end()?)
}

#[derive(Serialize)]
struct Count {
    subscribers: u64,
}

/// The message tallies of an app.
pub(crate) fn messages(place: &Place, app: &str, output: &mut Output) -> Result<(), Failure> {
    let app = AppId::parse(app)?;
    let store = open(place)?;
    let now = store.snapshot()?;
    if output.json {
        for tally in now.iter_messages(app) {
            output.object(&wire::message(&tally?))?;
        }
        return Ok(());
    }
    let mut table = Table::new(output, &["MESSAGE", "SENT", "FAILED", "CLICKED", "LAST AT"]);
    for tally in now.iter_messages(app) {
        let tally = tally?;
        table.row([
            tally.id.as_str().to_owned(),
            tally.counts.sent.to_string(),
            tally.counts.failed.to_string(),
            tally.counts.clicked.to_string(),
            time(tally.last_at),
        ])?;
    }
    Ok(table.end()?)
}
