//! Servers that say what no server says.

use std::time::{Duration, Instant};

use contact_store::{ContactStore, Error, OpenError, Options, StorageError};

use super::stores::{add, at, connect_app, email, open};
use crate::cluster::shared;
use crate::proxy::Proxy;

const PATIENCE: Duration = Duration::from_millis(300);

fn is_typed(error: &Error) -> bool {
    matches!(
        error,
        Error::Open(OpenError::Database(_) | OpenError::Damaged(_))
            | Error::Storage(StorageError::Database(_) | StorageError::Corrupt(_))
            | Error::Indeterminate { .. }
            | Error::NeedsReopen
            // What it knows of its apps may be garbled as well.
            | Error::UnknownApp(_)
    )
}

#[test]
fn r50_answers_that_no_server_gives_are_typed_errors_in_bounded_time() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("garbled");
    let direct = open(&place.url);
    connect_app(&direct);
    let is_long = std::env::var_os("CONTACT_STORE_TEST_LONG").is_some();
    let seeds = if is_long { 3_000 } else { 12 };
    let (mut number, mut wrong) = (0, Vec::new());
    for seed in 0..seeds {
        let proxy = Proxy::start(cluster.port());
        proxy.garble(seed);
        let url = proxy.url(&place.url);
        let began = Instant::now();
        let mut said = Vec::new();
        match ContactStore::connect(&at(&url, PATIENCE), Options::default()) {
            Err(error) => said.push(error),
            Ok(store) => {
                for _ in 0..5 {
                    number += 1;
                    if let Err(error) = add(&store, number) {
                        said.push(error);
                    }
                    let found = store
                        .snapshot()
                        .and_then(|now| now.by_email(&email(number)));
                    said.extend(found.err());
                }
                said.extend(store.close().err());
            }
        }
        let took = began.elapsed();
        // Each of a dozen waits may last for the patience, and connecting takes another.
        assert!(took < PATIENCE * 40, "{seed}: {took:?}");
        wrong.extend(
            said.into_iter()
                .filter(|error| !is_typed(error))
                .map(|error| (seed, error)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
