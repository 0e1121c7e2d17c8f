//! A first service on the store: an HTTP handler, a worker for delivery reports, what is done at night,
//! and an export. `examples/host.rs` is a whole one.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, iter, thread};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use contact_store::{
    Advice, AppId, Backoff, Clock as _, ConnectApp, ContactStore, Error, Limits, Options,
    RecordReports, Report, Subscriber, SystemClock, Timestamp, wire,
};

const BOT: AppId = AppId::from_u128(0x6f1c_3f6e_5a54_4d2b_9d0c_0a1b_2c3d_4e5f);
const MONTH_MILLIS: u64 = 30 * 24 * 60 * 60 * 1_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let path = env::args_os().nth(1).ok_or("usage: service STORE")?;
    let store = ContactStore::open(path, Options::default())?;
    let bot = ConnectApp::new("Shop bot".try_into()?).id(BOT);
    store.connect_app(bot).await?;
    let keeping = store.keep_open(Backoff::default(), |_| {})?;
    // Whatever hears of deliveries sends them here.
    let (_deliveries, reports) = channel();
    let recorded = store.clone();
    thread::spawn(move || record_reports(&recorded, &reports));
    let listed = store.clone();
    thread::spawn(move || {
        while nightly(&listed, SystemClock.now()).is_ok() {
            thread::sleep(Duration::from_millis(MONTH_MILLIS / 30));
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let router = Router::new().route("/tokens", post(add_tokens));
    axum::serve(listener, router.with_state(store.clone()))
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    tokio::task::spawn_blocking(move || {
        drop(keeping);
        export(&store, &mut io::stdout().lock())?;
        Ok(store.close()?)
    })
    .await?
}

type Refused = (StatusCode, String);

async fn add_tokens(State(store): State<ContactStore>, body: Bytes) -> Result<String, Refused> {
    let request = wire::parse_add_tokens(BOT, &body, &Limits::default()).map_err(refused)?;
    let added = store.add_tokens(request).await.map_err(refused)?;
    Ok(serde_json::json!(wire::tokens_added(&added.outcome)).to_string())
}

fn refused(error: Error) -> Refused {
    let status = match error.advice() {
        Advice::MendTheCall => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, serde_json::json!(wire::error(&error)).to_string())
}

/// Records what comes in, many reports in one commit, until nobody sends any more.
fn record_reports(store: &ContactStore, reports: &Receiver<Report>) -> Result<(), Error> {
    while let Ok(first) = reports.recv() {
        let batch = iter::once(first).chain(reports.try_iter()).take(1_000);
        let request = RecordReports::new(BOT).reports(batch);
        store.record_reports(request).wait()?;
    }
    Ok(())
}

/// At night: forgets old message tallies, and lists the subscribers not heard of for a month.
fn nightly(store: &ContactStore, now: Timestamp) -> Result<Vec<Subscriber>, Error> {
    let month_ago = Timestamp::from_millis(now.as_millis().saturating_sub(MONTH_MILLIS));
    store.forget_messages(BOT, month_ago).wait()?;
    let all: Result<Vec<_>, _> = store.snapshot()?.iter_subscribers(BOT).collect();
    let mut silent: Vec<Subscriber> = all?;
    silent.retain(|it| it.last_registered_at < month_ago);
    Ok(silent)
}

/// Every contact, one JSON line each, all of one moment.
fn export(store: &ContactStore, to: &mut impl Write) -> Result<(), Failure> {
    for card in store.snapshot()?.iter_contacts() {
        writeln!(to, "{}", serde_json::json!(wire::card(&card?)))?;
    }
    Ok(())
}

#[cfg(test)]
#[tokio::test]
async fn a_contact_is_added_reported_on_listed_and_exported() -> Result<(), Failure> {
    use contact_store::{ManualClock, Status};
    let clock = std::sync::Arc::new(ManualClock::at(Timestamp::from_millis(MONTH_MILLIS)));
    let store = ContactStore::open_in_memory(Options::default().clock(clock.clone()))?;
    let bot = ConnectApp::new("Shop bot".try_into()?).id(BOT);
    store.connect_app(bot).await?;
    let body = r#"{"tokens": [{"token": "1", "phone": "+380 50 000 00 01"}]}"#;
    let added = add_tokens(State(store.clone()), Bytes::from(body)).await;
    assert!(added.is_ok_and(|answer| answer.contains("created")));
    let wrong = add_tokens(State(store.clone()), Bytes::from("{}")).await;
    assert!(wrong.is_err_and(|(status, _)| status == StatusCode::BAD_REQUEST));
    let (deliveries, reports) = channel();
    deliveries.send(Report::new(Status::Sent).token("1"))?;
    drop(deliveries);
    record_reports(&store, &reports)?;
    assert_eq!(nightly(&store, clock.now())?.len(), 0);
    clock.set(Timestamp::from_millis(3 * MONTH_MILLIS));
    let silent = nightly(&store, clock.now())?;
    assert_eq!(silent.first().map(|it| it.counts.sent), Some(1));
    let mut exported = Vec::new();
    export(&store, &mut exported)?;
    assert_eq!(exported.iter().filter(|byte| **byte == b'\n').count(), 1);
    Ok(())
}
