//! A disk that fails at every call (R46, R47, R49).
//!
//! The script is played on a disk in memory. Whatever happens to the disk, the store then shows
//! exactly what a replay of its first requests shows, as many as the number it is at, and none that
//! was acknowledged is missing.

pub mod disk;
pub mod script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use contact_store::{
    AddTokens, AppId, ContactStore, Error, OpenError, RecordReports, Report, Snapshot, Status,
    StorageError, TokenEntry,
};

use crate::support::cases::{HANG, long_form, watched};
use crate::support::{APP, add, assert_sound, at, id};
use disk::{Fault, FaultKind, TestDisk};
use script::{
    Answer, Expected, Line, Request, assert_shows, between_the_syncs_of_a_commit, expected,
    image_after, open_on, script_options, visible,
};

/// One playing of the script on a disk that fails.
struct Play {
    expected: &'static Expected,
    disk: Arc<TestDisk>,
    tiny_cache: bool,
    store: ContactStore,
    /// The largest number that was acknowledged.
    acknowledged: u64,
    /// The largest number that a request was told it would have.
    begun: u64,
}

/// How far a play came.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    ToTheEnd,
    /// Something failed, and the store wants to be reopened.
    ToAFailure,
}

impl Play {
    /// Plays `lines` of the script, from the first request that is not in yet.
    fn go_on(&mut self, lines: usize) -> Came {
        let expected = self.expected;
        let found = self.acknowledged;
        let first = expected
            .numbers
            .iter()
            .position(|of_line| of_line.iter().any(|number| *number > found))
            .unwrap_or(expected.script.len());
        for line in (first..expected.script.len()).take(lines) {
            let came = match &expected.script[line] {
                Line::Group(requests) => {
                    let numbers = &expected.numbers[line];
                    let skip = numbers
                        .iter()
                        .position(|number| *number > found)
                        .filter(|_| line == first)
                        .unwrap_or(0);
                    self.group(&requests[skip..], &numbers[skip..])
                }
                Line::Read => self.read(),
                Line::CloseAndOpen => {
                    self.close_and_open();
                    Came::ToTheEnd
                }
            };
            if came == Came::ToAFailure {
                return came;
            }
        }
        Came::ToTheEnd
    }

    /// Has requests decided together: the first goes before, and is held up on its way to the disk
    /// until the others are queued.
    fn group(&mut self, requests: &[Request], numbers: &[u64]) -> Came {
        let (first, others) = requests.split_first().unwrap();
        if !others.is_empty() {
            self.disk.hold();
        }
        let mut first = first.queue(&self.store);
        let mut first_answer = None;
        while !others.is_empty()
            && first_answer.is_none()
            && !self.disk.somebody_waits(Duration::from_millis(1))
        {
            first_answer = first.wait_at_most(Duration::ZERO);
        }
        let mut pending: Vec<_> = others
            .iter()
            .map(|request| request.queue(&self.store))
            .collect();
        self.disk.release();

        let mut answers = vec![first_answer.or_else(|| first.wait_at_most(HANG))];
        answers.extend(pending.iter_mut().map(|answer| answer.wait_at_most(HANG)));
        let mut failed = false;
        // A request that was not decided gives its number to the next.
        let mut undecided = false;
        for (answer, number) in answers.into_iter().zip(numbers) {
            match answer.expect("a caller waits for ever") {
                Ok(sequence) => {
                    assert!(!failed, "acknowledged after a failure");
                    assert_eq!(sequence.value(), *number);
                    self.acknowledged = *number;
                    self.begun = self.begun.max(*number);
                }
                Err(Error::Indeterminate { sequence, cause }) => {
                    failed = true;
                    assert_io(&cause);
                    if !undecided {
                        assert_eq!(sequence.value(), *number);
                        self.begun = self.begun.max(*number);
                    }
                }
                Err(Error::NeedsReopen) => (failed, undecided) = (true, true),
                Err(Error::Storage(cause)) => {
                    (failed, undecided) = (true, true);
                    assert_io(&cause);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        if failed {
            Came::ToAFailure
        } else {
            Came::ToTheEnd
        }
    }

    fn read(&self) -> Came {
        match visible(&self.store.snapshot().unwrap()) {
            Ok(seen) => {
                assert_shows(&seen, self.expected.at(self.acknowledged));
                Came::ToTheEnd
            }
            Err(Error::Storage(cause)) => {
                assert_io(&cause);
                Came::ToAFailure
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Closes the store, and opens it again once the disk lets it.
    fn close_and_open(&mut self) {
        self.close();
        self.store = match open_on(&self.disk, self.tiny_cache) {
            Ok(store) => store,
            Err(error) => {
                assert_not_opened(&error);
                self.disk.mend();
                open_on(&self.disk, self.tiny_cache).unwrap()
            }
        };
        self.assert_found();
    }

    /// Closing reports exactly when the file was not closed cleanly. Then everything is closed.
    fn close(&self) {
        let snapshot = self.store.snapshot();
        let failed_calls = self.disk.failed_calls();
        let closed = self.store.close();
        match &closed {
            Ok(()) => {}
            Err(Error::CloseIncomplete(cause)) => assert_io(cause),
            Err(other) => panic!("{other:?}"),
        }
        let clean = is_clean(&self.disk);
        assert!(closed.is_err() || clean, "closed, and not cleanly");
        let failed_now = self.disk.failed_calls() > failed_calls;
        assert!(closed.is_ok() || failed_now || !clean, "{closed:?}");
        let clone = self.store.clone();
        assert!(matches!(clone.snapshot(), Err(Error::Closed)));
        assert!(matches!(clone.reopen(), Err(Error::Closed)));
        assert!(matches!(clone.close(), Ok(())));
        if let Ok(snapshot) = snapshot {
            assert!(matches!(visible(&snapshot), Err(Error::Closed)));
        }
    }

    /// What was found holds all that was acknowledged, nothing that was not begun, and whatever it
    /// holds survives a power cut right now (R46, R49).
    fn assert_found(&mut self) {
        let found = self.store.snapshot().unwrap().sequence().value();
        assert!(
            (self.acknowledged..=self.begun).contains(&found),
            "found {found}, acknowledged {}, begun {}",
            self.acknowledged,
            self.begun
        );
        self.acknowledged = found;
        self.begun = found;
        self.disk
            .aside(|| self.expected.assert_at(&self.store, found));
        self.assert_survives_a_power_cut();
    }

    fn assert_survives_a_power_cut(&self) {
        let image = TestDisk::with(self.disk.after_power_cut());
        let store = open_on(&image, false).unwrap();
        self.expected.assert_at(&store, self.acknowledged);
        store.close().unwrap();
    }

    /// What a failed store answers, until it is reopened (R49).
    fn assert_failed(&self) {
        let clone = self.store.clone();
        let request = Request::Erase(id(1));
        assert!(matches!(request.run(&clone), Err(Error::NeedsReopen)));
        self.assert_reads_rightly_or_fails(&clone.snapshot().unwrap());
    }

    fn assert_reads_rightly_or_fails(&self, now: &Snapshot) {
        let number = now.sequence().value();
        assert!((self.acknowledged..=self.begun).contains(&number));
        match visible(now) {
            Ok(seen) => assert_shows(&seen, self.expected.at(number)),
            Err(Error::Storage(cause)) => assert_io(&cause),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Reopens the store: first, perhaps, on a disk that still fails.
    fn reopen(&mut self) {
        let before = self.store.snapshot().unwrap();
        let clone = self.store.clone();
        let mut reopened = self.store.reopen();
        if let Err(error) = &reopened {
            assert_not_opened(error);
            assert!(matches!(clone.snapshot(), Err(Error::NeedsReopen)));
            assert!(matches!(visible(&before), Err(Error::SnapshotExpired)));
            self.disk.mend();
            reopened = self.store.reopen();
        }
        self.disk.mend();
        let number = reopened.unwrap();
        assert!(matches!(visible(&before), Err(Error::SnapshotExpired)));
        assert_eq!(clone.snapshot().unwrap().sequence(), number);
        self.assert_found();
    }
}

/// Whether the file says that it was closed cleanly.
fn is_clean(disk: &TestDisk) -> bool {
    const RECOVERY_REQUIRED: u8 = 2;
    disk.bytes()[9] & RECOVERY_REQUIRED == 0
}

/// The disk failed; nothing else did.
#[track_caller]
fn assert_io(cause: &StorageError) {
    assert!(
        matches!(cause, StorageError::Io(_) | StorageError::Stopped),
        "{cause:?}"
    );
}

#[track_caller]
fn assert_not_opened(error: &Error) {
    assert!(matches!(error, Error::Open(OpenError::Io(_))), "{error:?}");
}

/// How one case goes.
#[derive(Clone, Copy, Debug)]
struct Case {
    fault: Fault,
    tiny_cache: bool,
    /// Whether the failed store is reopened, or closed and opened as a new one.
    reopen: bool,
    /// How many lines of the script follow.
    lines_after: usize,
}

/// Gives whether the fault was met.
fn play(case: Case) -> bool {
    let expected = expected();
    let disk = TestDisk::empty();
    disk.fail(case.fault);
    let store = match open_on(&disk, case.tiny_cache) {
        Ok(store) => store,
        Err(error) => {
            // What is made anew and not finished is thrown away with its temporary name. But it
            // never passes for a store with something in it.
            assert_not_opened(&error);
            disk.mend();
            match open_on(&disk, case.tiny_cache) {
                Ok(store) => expected.assert_at(&store, 0),
                Err(error) => assert!(
                    matches!(
                        error,
                        Error::Open(OpenError::HalfCreated | OpenError::Damaged(_))
                    ),
                    "{error:?}"
                ),
            }
            return true;
        }
    };
    let mut play = Play {
        expected,
        disk,
        tiny_cache: case.tiny_cache,
        store,
        acknowledged: 0,
        begun: 0,
    };
    if play.go_on(usize::MAX) == Came::ToAFailure {
        play.assert_failed();
        if case.reopen {
            play.reopen();
        } else {
            play.close();
            play.disk.mend();
            play.store = open_on(&play.disk, case.tiny_cache).unwrap();
            play.assert_found();
        }
        assert_eq!(play.go_on(case.lines_after), Came::ToTheEnd);
        play.assert_survives_a_power_cut();
    }
    play.disk.mend();
    play.expected.assert_at(&play.store, play.acknowledged);
    play.close();
    let store = open_on(&play.disk, false).unwrap();
    play.expected.assert_at(&store, play.acknowledged);
    store.close().unwrap();
    play.disk.failed_calls() > 0
}

/// Plays the script once for each call that may fail. In the short form only every `step`th fails.
fn every_call_fails(kind: FaultKind, tiny_cache: bool, (first, step): (u64, u64)) {
    let started = Instant::now();
    let (first, step) = if long_form() { (1, 1) } else { (first, step) };
    let mut cases = 0;
    let mut at = first;
    loop {
        let case = Case {
            fault: Fault { at, kind },
            tiny_cache,
            reopen: at % 3 != 0,
            lines_after: if at % 32 == 0 { usize::MAX } else { 1 },
        };
        // The name of the case is all that it takes to repeat it.
        let met = watched(&format!("{case:?}"), move || play(case));
        if !met {
            break;
        }
        cases += 1;
        at += step;
    }
    assert!(cases > 30, "{cases} cases");
    println!(
        "{kind:?}, {} cache: {cases} cases over {at} calls in {:.1?}",
        if tiny_cache { "tiny" } else { "large" },
        started.elapsed()
    );
}

#[test]
fn a_call_that_fails_once_loses_nothing_acknowledged() {
    every_call_fails(FaultKind::Once, false, (1, 2));
    every_call_fails(FaultKind::Once, true, (1, 29));
}

#[test]
fn a_call_that_fails_in_the_middle_loses_nothing_acknowledged() {
    every_call_fails(FaultKind::OnceInTheMiddle, false, (2, 4));
    every_call_fails(FaultKind::OnceInTheMiddle, true, (3, 37));
}

#[test]
fn a_disk_that_fails_for_good_loses_nothing_acknowledged() {
    every_call_fails(FaultKind::FromThenOn, false, (1, 9));
    every_call_fails(FaultKind::FromThenOn, true, (5, 53));
}

#[test]
fn a_full_disk_loses_nothing_acknowledged() {
    every_call_fails(FaultKind::Full, false, (1, 9));
    every_call_fails(FaultKind::Full, true, (7, 53));
}

/// A file that was opened, whatever was with it before, loses nothing when opening it is tried on a
/// disk that fails, and tried again.
#[test]
fn opening_may_fail_at_every_call_and_be_tried_again() {
    let expected = expected();
    let whole = image_after(usize::MAX);
    let (in_flight, in_flight_number) = between_the_syncs_of_a_commit();
    let images = [
        ("closed", &whole.closed, whole.number),
        ("open", &whole.open, whole.number),
        // The newer commit counts: it is whole.
        ("in flight", &in_flight, in_flight_number),
    ];
    let started = Instant::now();
    let mut cases = 0;
    for (name, image, number) in images {
        for (kind, step) in [
            (FaultKind::Once, 5),
            (FaultKind::OnceInTheMiddle, 7),
            (FaultKind::FromThenOn, 17),
            (FaultKind::Full, 17),
        ] {
            let step = if long_form() { 1 } else { step };
            for at in (1..).step_by(step) {
                let disk = TestDisk::with(image.clone());
                let case = format!("{name}, call {at}, {kind:?}");
                let met = watched(&case, move || {
                    disk.fail(Fault { at, kind });
                    let opened = open_on(&disk, false);
                    disk.mend();
                    let store = opened.unwrap_or_else(|error| {
                        assert_not_opened(&error);
                        open_on(&disk, false).unwrap()
                    });
                    expected.assert_at(&store, number);
                    let cut = TestDisk::with(disk.after_power_cut());
                    expected.assert_at(&open_on(&cut, false).unwrap(), number);
                    disk.failed_calls() > 0
                });
                if !met {
                    break;
                }
                cases += 1;
            }
        }
    }
    println!("{cases} openings that fail in {:.1?}", started.elapsed());
}

/// A store on a disk, with `APP` and contacts enough for trees of two levels: redb keeps the root
/// of a tree in memory. One contact has `token`.
fn small_store(token: &str) -> (Arc<TestDisk>, ContactStore) {
    let disk = TestDisk::empty();
    // Without a cache, whatever is read is read from the disk.
    let mut options = script_options(false);
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    crate::support::connect(&store);
    add(&store, TokenEntry::new(token).email("a@example.com"));
    let entry = |n| {
        TokenEntry::new(format!("{n}")).external_customer_id(format!("{n}-{}", "x".repeat(500)))
    };
    let request = AddTokens::new(APP).entries((0..50).map(entry));
    store.add_tokens(request).wait().unwrap();
    (disk, store)
}

fn one_more(n: u32) -> AddTokens {
    let entry = TokenEntry::new(format!("more-{n}")).email(format!("more{n}@example.com"));
    AddTokens::new(APP).entry(entry)
}

/// redb refuses everything once a read failed; so does the store, until it is reopened (R49).
#[test]
fn a_store_that_could_not_read_is_restored_by_reopening() {
    let (disk, store) = small_store("100");
    let before = store.snapshot().unwrap();
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    assert!(matches!(
        before.contact(id(1)),
        Err(Error::Storage(StorageError::Io(_)))
    ));
    assert!(matches!(
        store.add_tokens(one_more(1)).wait(),
        Err(Error::NeedsReopen)
    ));
    assert_eq!(store.reopen().unwrap(), before.sequence());
    assert!(matches!(before.contact(id(1)), Err(Error::SnapshotExpired)));
    store.add_tokens(one_more(1)).wait().unwrap();
    assert_sound(&store);
    store.close().unwrap();
}

/// R49: closing reports.
#[test]
fn closing_a_store_that_could_not_read_says_that_the_file_is_not_clean() {
    let (disk, store) = small_store("100");
    let now = store.snapshot().unwrap();
    disk.fail(Fault {
        at: disk.calls() + 1,
        kind: FaultKind::Once,
    });
    assert!(matches!(
        now.contact(id(1)),
        Err(Error::Storage(StorageError::Io(_)))
    ));
    assert!(matches!(
        store.close(),
        Err(Error::CloseIncomplete(StorageError::Stopped))
    ));
    let store = open_on(&disk, false).unwrap();
    assert_eq!(store.snapshot().unwrap().sequence(), now.sequence());
    assert_sound(&store);
}

/// R49: the same after a commit that failed, and after reopening failed too.
#[test]
fn closing_a_store_that_failed_says_so() {
    for try_to_reopen in [false, true] {
        let (disk, store) = small_store("100");
        let found = store.snapshot().unwrap().sequence().value();
        disk.fail(Fault {
            at: disk.calls() + 1,
            kind: FaultKind::FromThenOn,
        });
        assert!(matches!(
            store.add_tokens(one_more(1)).wait(),
            Err(Error::Indeterminate { sequence, cause: StorageError::Io(_) })
                if sequence.value() == found + 1
        ));
        if try_to_reopen {
            assert!(matches!(store.reopen(), Err(Error::Open(OpenError::Io(_)))));
        }
        assert!(matches!(store.close(), Err(Error::CloseIncomplete(_))));
        assert!(matches!(store.snapshot(), Err(Error::Closed)));
        disk.mend();
        let store = open_on(&disk, false).unwrap();
        assert_eq!(store.snapshot().unwrap().sequence().value(), found);
        assert_sound(&store);
    }
}

/// R49: a request that was refused has no number, so it must not be told one. Its refusal may rest
/// on what the same commit would have changed, so it is no answer either.
#[test]
fn a_request_refused_in_a_commit_that_failed_is_told_to_ask_again() {
    let (disk, store) = small_store("100");
    let number = store.snapshot().unwrap().sequence().value();
    disk.hold();
    let first = store.add_tokens(one_more(1));
    assert!(disk.somebody_waits(HANG));
    let disconnected = store.disconnect_app(APP);
    let refused = store.add_tokens(one_more(2));
    let unknown = store.disconnect_app(AppId::from_u128(0xdead));
    // Each commit syncs twice.
    disk.fail_sync(3);
    disk.release();
    assert_eq!(first.wait().unwrap().sequence.value(), number + 1);
    match disconnected.wait() {
        Err(Error::Indeterminate { sequence, .. }) => assert_eq!(sequence.value(), number + 2),
        other => panic!("{other:?}"),
    }
    assert!(matches!(refused.wait(), Err(Error::NeedsReopen)));
    assert!(matches!(unknown.wait(), Err(Error::NeedsReopen)));
    let found = store.reopen().unwrap().value();
    assert!((number + 1..=number + 2).contains(&found));
    let asked_again = store.add_tokens(one_more(2)).wait();
    if found == number + 1 {
        asked_again.unwrap();
    } else {
        assert!(matches!(asked_again, Err(Error::UnknownApp(APP))));
    }
    assert_sound(&store);
}

/// R49: no caller waits longer than the disk. A request that goes on in a second commit is
/// answered when the store fails between the two.
#[test]
fn a_request_of_several_commits_is_answered_when_the_store_fails_in_between() {
    watched("several commits", || {
        let (disk, store) = small_store("100");
        for part in 0..2 {
            let tallied = |n| {
                Report::new(Status::Sent)
                    .token("100")
                    .message(format!("{part}-{n}"))
                    .at(at(100))
            };
            let reports = RecordReports::new(APP).reports((0..2_500).map(tallied));
            store.record_reports(reports).wait().unwrap();
        }
        let now = store.snapshot().unwrap();
        disk.hold();
        let mut forgotten = store.forget_messages(APP, at(500));
        assert!(disk.somebody_waits(HANG));
        disk.panic_on_next_read();
        assert!(matches!(
            now.contact(id(1)),
            Err(Error::Storage(StorageError::Panicked))
        ));
        disk.release();
        let answer = forgotten.wait_at_most(HANG).expect("no answer");
        assert!(
            matches!(
                answer,
                Err(Error::NeedsReopen | Error::Indeterminate { .. })
            ),
            "{answer:?}"
        );
        store.reopen().unwrap();
        assert_sound(&store);
        // What is left of them goes when it is asked for again.
        store.forget_messages(APP, at(500)).wait().unwrap();
        let left = store.snapshot().unwrap().messages(APP, None, 10).unwrap();
        assert_eq!(left, []);
        store.close().unwrap();
    });
}
