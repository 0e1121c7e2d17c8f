//! Servers that say what no server says.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{ContactStore, Error, OpenError, Options, StorageError};

use super::stores::{add, at, connect_app, email, open};
use crate::cluster::shared;

const PATIENCE: Duration = Duration::from_millis(300);

/// Numbers that a seed leads to.
struct Numbers(u64);

impl Numbers {
    /// The next number below `end`.
    fn next(&mut self, end: u64) -> u64 {
        // Splitmix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Passes on what two sides say, and changes a byte of what the server says from time to time.
fn garble(client: TcpStream, server: TcpStream, mut numbers: Numbers) {
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        // Either side may go at any time.
        drop(std::io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Both));
    });
    let (mut client, mut server) = (client, server);
    let mut bytes = [0; 4096];
    let mut until = numbers.next(2_000);
    while let Ok(count @ 1..) = server.read(&mut bytes) {
        let mut rest = &mut bytes[..count];
        while let Some(byte) = rest.get_mut(usize::try_from(until).unwrap()) {
            *byte = u8::try_from(numbers.next(256)).unwrap();
            let after = usize::try_from(until).unwrap() + 1;
            rest = &mut rest[after..];
            until = numbers.next(2_000);
        }
        until -= rest.len() as u64;
        if client.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// The port of a proxy to this port, each of whose connections garbles in its own way.
fn garbling(port: u16, seed: u64) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in (0..).zip(listener.incoming()) {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)));
            let numbers = Numbers(seed * 1_000 + number);
            thread::spawn(move || garble(client, server.unwrap(), numbers));
        }
    });
    at
}

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
        let port = garbling(cluster.port(), seed);
        let url = place
            .url
            .replace(&format!(":{}", cluster.port()), &format!(":{port}"));
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
