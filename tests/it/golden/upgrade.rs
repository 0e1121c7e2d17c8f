//! Files of format 1: refused as they are, upgraded on request, and of one format or the other whatever
//! cuts the upgrade off (R50).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use contact_store::{
    ContactStore, Disk, Error, OpenError, Opening, OpeningStage, Options, RecordReports, Report,
    Status, SubscriberId,
};

use super::pages::{beside, golden};
use super::shown::shown;
use super::{assert_found, copy, write_to};
use crate::support::{APP, assert_sound};

const FILES: [&str; 2] = ["format_1/closed.pages", "format_1/open.pages"];

fn upgrading() -> Options {
    crate::support::options().0.upgrade(true)
}

/// What the file showed in format 1, with the subscriber ids of today.
fn expected(store: &ContactStore) -> String {
    let now = store.snapshot().unwrap();
    let before = std::fs::read_to_string(beside("format_1/shown.txt")).unwrap();
    let mut ids = BTreeMap::new();
    let mut text = String::new();
    for (at, piece) in before.split("subscriber ").enumerate() {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap();
        if at == 0 || digits == 0 {
            text.push_str(if at == 0 { "" } else { "subscriber " });
            text.push_str(piece);
            continue;
        }
        let former: u64 = piece[..digits].parse().unwrap();
        let found = now.subscriber(SubscriberId::new(former)).unwrap();
        let id = found.map_or(former, |found| found.id.value());
        ids.insert(former, id);
        text.push_str(&format!("subscriber {id}{}", &piece[digits..]));
    }
    assert!(ids.len() > 70);
    // In the order that they had.
    assert!(ids.values().is_sorted());
    text
}

#[test]
fn r50_a_file_of_format_1_is_refused_with_both_formats_and_left_as_it_is() {
    for name in FILES {
        let (_directory, path) = copy(name);
        match ContactStore::open(&path, crate::support::options().0) {
            Err(Error::Open(OpenError::OldFormat { found: 1, known: 2 })) => {}
            other => panic!("{other:?}"),
        }
        assert!(std::fs::read(&path).unwrap() == golden(name), "{name}");
    }
}

#[test]
fn an_upgraded_file_shows_what_it_showed_and_takes_writes() {
    for name in FILES {
        let (_directory, path) = copy(name);
        let told = Arc::new(Mutex::new(Vec::<Opening>::new()));
        let to = Arc::clone(&told);
        let options = upgrading().on_opening(move |opening| to.lock().unwrap().push(opening));
        let store = ContactStore::open(&path, options).unwrap();
        let now = store.snapshot().unwrap();
        let expected = expected(&store);
        assert!(shown(&now) == expected, "{name} shows:\n{}", shown(&now));
        assert_sound(&store);
        assert_found(&store);
        let told = told.lock().unwrap();
        let last = told.last().unwrap();
        assert_eq!(last.stage, OpeningStage::Upgrading);
        assert_eq!(last.done, last.of);

        // A subscriber answers to the id that it had.
        let now = now.subscriber(SubscriberId::new(3)).unwrap().unwrap();
        let report = Report::new(Status::Sent).subscriber(SubscriberId::new(3));
        store
            .record_reports(RecordReports::new(APP).report(report))
            .wait()
            .unwrap();
        let after = store.snapshot().unwrap();
        let after = after.subscriber(now.id).unwrap().unwrap();
        assert_eq!(after.counts.sent, now.counts.sent + 1);

        let number = store.snapshot().unwrap().sequence().value();
        let number = write_to(&store, number);
        store.close().unwrap();
        // It is a file like any other by now.
        let store = ContactStore::open(&path, crate::support::options().0).unwrap();
        assert_eq!(store.snapshot().unwrap().sequence().value(), number);
        assert_sound(&store);
        assert_found(&store);
    }
}

/// A disk that ends at a call, and knows what was synced until then.
#[derive(Debug)]
struct CutDisk(Mutex<Bytes>);

#[derive(Debug)]
struct Bytes {
    now: Vec<u8>,
    synced: Vec<u8>,
    calls: usize,
    cut_at: usize,
}

impl CutDisk {
    fn new(bytes: Vec<u8>, cut_at: usize) -> Arc<Self> {
        Arc::new(CutDisk(Mutex::new(Bytes {
            synced: bytes.clone(),
            now: bytes,
            calls: 0,
            cut_at,
        })))
    }

    fn change(&self, change: impl FnOnce(&mut Bytes)) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        bytes.calls += 1;
        if bytes.calls > bytes.cut_at {
            return Err(io::Error::other("the power is cut"));
        }
        change(&mut bytes);
        Ok(())
    }
}

impl Disk for CutDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let there = bytes.now.get(from..from + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, written: &[u8]) -> io::Result<()> {
        self.change(|bytes| {
            let from = usize::try_from(offset).unwrap();
            let end = from + written.len();
            if bytes.now.len() < end {
                bytes.now.resize(end, 0);
            }
            bytes.now[from..end].copy_from_slice(written);
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|bytes| bytes.now.resize(usize::try_from(len).unwrap(), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|bytes| bytes.synced = bytes.now.clone())
    }
}

#[test]
fn an_upgrade_that_is_cut_off_at_any_call_leaves_one_format_or_the_other() {
    let whole = CutDisk::new(golden(FILES[0]), usize::MAX);
    let store = ContactStore::open_on_disk(whole.clone(), upgrading()).unwrap();
    let calls = whole.0.lock().unwrap().calls;
    let (expected, mut old, mut new) = (shown(&store.snapshot().unwrap()), 0, 0);
    drop(store);
    for cut_at in 0..calls {
        let disk = CutDisk::new(golden(FILES[0]), cut_at);
        match ContactStore::open_on_disk(disk.clone(), upgrading()) {
            Err(Error::Open(_)) => {}
            // The commit was whole, and only what comes after it was cut.
            Ok(store) => drop(store),
            Err(other) => panic!("{other}"),
        }
        let images = {
            let bytes = disk.0.lock().unwrap();
            [bytes.synced.clone(), bytes.now.clone()]
        };
        for image in images {
            let refused = ContactStore::open_on_disk(
                CutDisk::new(image.clone(), usize::MAX),
                crate::support::options().0,
            );
            match refused {
                Err(Error::Open(OpenError::OldFormat { found: 1, known: 2 })) => old += 1,
                Ok(_) => new += 1,
                Err(other) => panic!("cut at call {cut_at}: {other}"),
            }
            let again = CutDisk::new(image, usize::MAX);
            let store = ContactStore::open_on_disk(again, upgrading()).unwrap();
            assert!(shown(&store.snapshot().unwrap()) == expected, "{cut_at}");
            assert_sound(&store);
        }
    }
    assert!(
        old >= 10 && new >= 1,
        "{old} of format 1, {new} of format 2"
    );
}
