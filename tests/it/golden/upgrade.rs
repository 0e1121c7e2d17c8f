//! Files of format 1: refused as they are, upgraded on request, and of one format or the other whatever
//! cuts the upgrade off (R50).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use contact_store::{
    ContactStore, Error, OpenError, Opening, OpeningStage, Options, RecordReports, Report, Status,
    SubscriberId,
};

use super::pages::{beside, golden};
use super::shown::shown;
use super::{assert_found, copy, write_to};
use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::power_cuts::disk::RecordingDisk;
use crate::power_cuts::image::{Cut, Keep, Trace};
use crate::power_cuts::promises::Promises;
use crate::power_cuts::recovery::{Counts, IMAGES, count, named};
use crate::support::blocks::Blocks;
use crate::support::cases::Cases;
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

/// What the disk shows then, and what a power cut would leave of it, is of one format or the other.
#[test]
fn an_upgrade_on_a_disk_that_fails_at_any_call_leaves_one_format_or_the_other() {
    let cases = Cases::new();
    for name in FILES {
        let whole = TestDisk::with(golden(name));
        let store = ContactStore::open_on_disk(whole.clone(), upgrading()).unwrap();
        let (calls, expected) = (whole.calls(), shown(&store.snapshot().unwrap()));
        drop(store);
        let checked = Arc::new(Mutex::new(HashSet::new()));
        for at in 1..=calls {
            // Each call fails in one of three ways, by turns.
            let kinds = [FaultKind::Once, FaultKind::OnceInTheMiddle, FaultKind::Full];
            let kind = kinds[usize::try_from(at % 3).unwrap()];
            let (expected, checked) = (expected.clone(), Arc::clone(&checked));
            let counts = cases.run(&format!("{name}, call {at}, {kind:?}"), move || {
                let mut counts = Counts::new();
                let disk = TestDisk::with(golden(name));
                disk.fail(Fault { at, kind });
                match ContactStore::open_on_disk(disk.clone(), upgrading()) {
                    Err(Error::Open(_)) => count(&mut counts, "upgrades that failed"),
                    // The upgrade was whole, or the call came after it.
                    Ok(store) => drop(store),
                    Err(other) => panic!("{other}"),
                }
                for left in [disk.shown(), disk.durable()] {
                    if checked.lock().unwrap().insert(left.sum()) {
                        count(&mut counts, format_of(&left));
                        let store = upgrade(&RecordingDisk::with(left));
                        assert!(shown(&store.snapshot().unwrap()) == expected);
                        assert_sound(&store);
                    }
                }
                counts
            });
            for (what, times) in counts.unwrap_or_default() {
                cases.count(what, times);
            }
        }
    }
    cases.finish(&[("upgrades that failed", 200), (OLD, 20), (NEW, 3)]);
}

const OLD: &str = "files of format 1";
const NEW: &str = "files of format 2";

/// The format of a file, as it is opened without being upgraded. One that is refused stays as it is.
#[track_caller]
fn format_of(file: &Blocks) -> &'static str {
    let disk = RecordingDisk::with(file.clone());
    match ContactStore::open_on_disk(disk.clone(), crate::support::options().0) {
        Err(Error::Open(OpenError::OldFormat { found: 1, known: 2 })) => {
            assert_eq!(disk.bytes().sum(), file.sum(), "a refused file was changed");
            OLD
        }
        Ok(store) => {
            disk.unplug();
            drop(store);
            NEW
        }
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn upgrade(disk: &Arc<RecordingDisk>) -> ContactStore {
    ContactStore::open_on_disk(disk.clone(), upgrading()).unwrap()
}

/// What the cuts of the upgrade of one file leave, each looked at once.
struct Cuts {
    /// What the file shows, once it is upgraded.
    expected: String,
    number: u64,
    /// By their sums, and whether the upgrade had been acknowledged.
    checked: Mutex<HashSet<(u64, bool)>>,
}

impl Cuts {
    /// Upgrades a file: what the disk was told, until the upgraded store was open.
    fn upgrade(&self, file: &Blocks, writes: bool) -> Trace {
        let disk = RecordingDisk::with(file.clone());
        let store = upgrade(&disk);
        let events = disk.events().into();
        assert!(shown(&store.snapshot().unwrap()) == self.expected);
        assert_sound(&store);
        if writes {
            let number = write_to(&store, self.number);
            store.close().unwrap();
            let store = upgrade(&disk);
            assert_eq!(store.snapshot().unwrap().sequence().value(), number);
            assert_sound(&store);
        }
        // Not to write what closing writes.
        disk.unplug();
        Trace {
            before: file.clone(),
            events,
            promises: Promises::default(),
        }
    }

    /// Looks at what a cut leaves.
    fn check(&self, cut: &Cut, of: &Trace, is_first: bool, counts: &mut Counts) {
        // Once the store is open, the file is of format 2 for good.
        let acknowledged = cut.count == of.events.len();
        let mut keeps: Vec<Keep> = Keep::all(cut.count as u64, 3).collect();
        if !is_first {
            // One of them in turn.
            keeps = vec![keeps[cut.count % keeps.len()]];
        }
        for (kind, keep) in keeps.into_iter().enumerate() {
            let image = cut.image(keep);
            let turn = cut.count + kind;
            named(&format!("after event {}, {keep:?}", cut.count), || {
                let sum = (image.sum(), acknowledged);
                if !self.checked.lock().unwrap().insert(sum) {
                    return;
                }
                count(counts, IMAGES);
                let format = format_of(&image);
                assert!(format == NEW || !acknowledged, "upgraded, and old again");
                count(counts, format);
                let again = self.upgrade(&image, turn.is_multiple_of(8));
                if is_first && turn.is_multiple_of(16) && cut.count > 0 {
                    count(counts, CUT_AGAIN);
                    for cut in again.cuts() {
                        self.check(&cut, &again, false, counts);
                    }
                }
            });
            if cut.is_synced() {
                break;
            }
        }
    }
}

const CUT_AGAIN: &str = "upgrades cut again";

#[test]
fn r46_an_upgrade_that_a_power_cut_ends_at_any_write_leaves_one_format_or_the_other() {
    let cases = Cases::new();
    for name in FILES {
        let file = Blocks::from(golden(name));
        let store = upgrade(&RecordingDisk::with(file.clone()));
        let now = store.snapshot().unwrap();
        let cuts = Arc::new(Cuts {
            expected: shown(&now),
            number: now.sequence().value(),
            checked: Mutex::default(),
        });
        store.close().unwrap();
        let trace = Arc::new(cuts.upgrade(&file, false));
        for cut in trace.cuts() {
            let (cuts, trace) = (Arc::clone(&cuts), Arc::clone(&trace));
            let name = format!("{name}, cut after event {}", cut.count);
            let counts = cases.run(&name, move || {
                let mut counts = Counts::new();
                cuts.check(&cut, &trace, true, &mut counts);
                counts
            });
            for (what, times) in counts.unwrap_or_default() {
                cases.count(what, times);
            }
        }
    }
    // There is more that is new where a cut falls into what is swept once the store is open.
    cases.finish(&[(IMAGES, 200), (OLD, 150), (NEW, 3), (CUT_AGAIN, 8)]);
}
