//! One playing of the script on a disk that fails, and what must hold whenever something failed.

use std::sync::Arc;
use std::time::Duration;

use contact_store::{ContactStore, Error, OpenError, SequenceNumber, Snapshot, StorageError};

use super::disk::{Call, TestDisk, WrittenBack};
use super::script::{
    Expected, Line, Request, assert_shows, before_each_line, expected, open_on, visible,
};
use crate::support::blocks::Blocks;
use crate::support::cases::HANG;
use crate::support::id;

pub const COMMIT_FAILED: &str = "commits failed";
pub const FOUND_BEGUN: &str = "failed commits found in";
pub const FOUND_NOT_BEGUN: &str = "failed commits found not in";
pub const REFUSED_UNDECIDED: &str = "requests refused without a number";
pub const REOPENING_FAILED: &str = "reopened at the second attempt";
pub const CLOSING_FAILED: &str = "closed and not cleanly";

/// One playing of the script on a disk that fails.
pub struct Play {
    pub expected: &'static Expected,
    pub disk: Arc<TestDisk>,
    pub tiny_cache: bool,
    pub store: ContactStore,
    /// The largest number that was acknowledged.
    pub acknowledged: u64,
    /// The largest number that a request was told it would have.
    pub begun: u64,
    /// What it came to.
    pub met: Vec<&'static str>,
}

/// How far a play came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    ToTheEnd,
    /// Something failed, and the store wants to be reopened.
    ToAFailure,
}

/// What is done about a store that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    Reopen,
    /// It is closed, and a new store is opened over what the system shows.
    NewStore,
}

impl Play {
    /// A play whose store is open on `disk` and at `number`.
    pub fn at(number: u64, disk: Arc<TestDisk>, tiny_cache: bool, store: ContactStore) -> Self {
        Play {
            expected: expected(),
            disk,
            tiny_cache,
            store,
            acknowledged: number,
            begun: number,
            met: Vec::new(),
        }
    }

    /// A play of one line whose last sync failed, after some of the pages were written.
    pub fn with_failed_commit(line: usize, tiny_cache: bool, written: WrittenBack) -> Self {
        let play = || {
            let before = &before_each_line()[line];
            let disk = TestDisk::with(before.closed.clone());
            let store = open_on(&disk, tiny_cache).unwrap();
            Play::at(before.number, disk, tiny_cache, store)
        };
        // The first commit of a store may sync more than twice: the file grows.
        let mut whole = play();
        let before = whole.disk.calls_of(Call::Sync);
        assert_eq!(whole.line(line, 0), Came::ToTheEnd);
        let syncs = whole.disk.calls_of(Call::Sync) - before;

        let mut failed = play();
        failed.disk.fail_sync_after(syncs, written);
        assert_eq!(failed.line(line, 0), Came::ToAFailure);
        failed
    }

    /// Plays the lines of the script from the first request that is not in yet to the end of line
    /// `last`.
    pub fn go_on(&mut self, last: usize) -> Came {
        let found = self.acknowledged;
        let first = self.expected.first_line_after(found);
        for line in first..=last.min(self.expected.script.len() - 1) {
            let skip = if line == first {
                let numbers = &self.expected.numbers[line];
                numbers.iter().position(|number| *number > found)
            } else {
                None
            };
            if self.line(line, skip.unwrap_or(0)) == Came::ToAFailure {
                return Came::ToAFailure;
            }
        }
        Came::ToTheEnd
    }

    /// Plays one line, without the first requests of a group.
    pub fn line(&mut self, line: usize, skip: usize) -> Came {
        let expected = self.expected;
        match &expected.script[line] {
            Line::Group(requests) => self.group(&requests[skip..], &expected.numbers[line][skip..]),
            Line::Read => self.read(),
            Line::CloseAndOpen => {
                self.close_and_open();
                Came::ToTheEnd
            }
        }
    }

    /// Has requests decided together: the first goes before, and is held up on its way to the disk
    /// until the others are queued.
    fn group(&mut self, requests: &[Request], numbers: &[u64]) -> Came {
        let (first, others) = requests.split_first().unwrap();
        let failed_calls = self.disk.failed_calls();
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
        let failed_now = self.disk.failed_calls() > failed_calls;
        self.judge(answers, numbers, failed_now)
    }

    /// An answer says *indeterminate* exactly when its commit failed; after that none is acknowledged.
    fn judge(
        &mut self,
        answers: Vec<Option<Result<SequenceNumber, Error>>>,
        numbers: &[u64],
        disk_failed: bool,
    ) -> Came {
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
                    assert_io(&cause);
                    assert!(disk_failed, "no commit can have failed");
                    assert!(sequence.value() > self.acknowledged);
                    if !failed {
                        self.met.push(COMMIT_FAILED);
                    }
                    failed = true;
                    if !undecided {
                        assert_eq!(sequence.value(), *number);
                        self.begun = self.begun.max(*number);
                    }
                }
                Err(Error::NeedsReopen) => {
                    (failed, undecided) = (true, true);
                    self.met.push(REFUSED_UNDECIDED);
                }
                Err(Error::Storage(cause)) => {
                    (failed, undecided) = (true, true);
                    assert_io(&cause);
                    self.met.push(REFUSED_UNDECIDED);
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

    /// Reads all there is, each row and index both ways.
    pub fn verify(&self) -> Came {
        match self.store.snapshot().unwrap().verify() {
            Ok(verified) => {
                assert_eq!(verified.problems, []);
                Came::ToTheEnd
            }
            Err(Error::Storage(cause)) => {
                assert_io(&cause);
                Came::ToAFailure
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    pub fn read(&self) -> Came {
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

    fn close_and_open(&mut self) {
        self.close();
        self.open_new();
    }

    /// Closing reports exactly when the file was not closed cleanly. Then everything is closed.
    pub fn close(&mut self) {
        let snapshot = self.store.snapshot();
        let failed_calls = self.disk.failed_calls();
        let closed = self.store.close();
        match &closed {
            Ok(()) => {}
            Err(Error::CloseIncomplete(cause)) => {
                assert_io(cause);
                self.met.push(CLOSING_FAILED);
            }
            Err(other) => panic!("{other:?}"),
        }
        let clean = is_clean(&self.disk.shown());
        let clean_for_good = is_clean(&self.disk.durable());
        assert!(closed.is_err() || clean_for_good, "closed, and not cleanly");
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
    pub fn assert_found(&mut self) {
        let found = self.store.snapshot().unwrap().sequence().value();
        assert!(
            (self.acknowledged..=self.begun).contains(&found),
            "found {found}, acknowledged {}, begun {}",
            self.acknowledged,
            self.begun
        );
        if self.begun > self.acknowledged {
            self.met.push(if found > self.acknowledged {
                FOUND_BEGUN
            } else {
                FOUND_NOT_BEGUN
            });
        }
        self.acknowledged = found;
        self.begun = found;
        self.disk
            .aside(|| self.expected.assert_shown(&self.store, found));
        self.assert_survives_a_power_cut();
    }

    pub fn assert_survives_a_power_cut(&self) {
        let image = TestDisk::with(self.disk.durable());
        let store = open_on(&image, false).unwrap();
        self.expected.assert_shown(&store, self.acknowledged);
        store.close().unwrap();
    }

    /// What a failed store answers, until it is reopened (R49).
    pub fn assert_failed(&self) {
        let clone = self.store.clone();
        let request = Request::Erase(id(1));
        assert!(matches!(request.run(&clone), Err(Error::NeedsReopen)));
        self.assert_reads_rightly_or_fails(&clone.snapshot().unwrap());
    }

    fn assert_reads_rightly_or_fails(&self, now: &Snapshot) {
        let number = now.sequence().value();
        assert_eq!(number, self.acknowledged, "read, and not durable");
        match visible(now) {
            Ok(seen) => assert_shows(&seen, self.expected.at(number)),
            Err(Error::Storage(cause)) => assert_io(&cause),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Brings a failed store back: at first, perhaps, on a disk that still fails.
    pub fn restore(&mut self, remedy: Remedy) {
        match remedy {
            Remedy::Reopen => self.reopen(),
            Remedy::NewStore => {
                self.close();
                self.open_new();
            }
        }
    }

    /// Opens a new store over what the system shows.
    pub fn open_new(&mut self) {
        self.store = open_at_last(&self.disk, self.tiny_cache);
        self.disk.mend();
        self.assert_found();
    }

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
            self.met.push(REOPENING_FAILED);
        }
        self.disk.mend();
        let number = reopened.unwrap();
        assert!(matches!(visible(&before), Err(Error::SnapshotExpired)));
        assert_eq!(clone.snapshot().unwrap().sequence(), number);
        self.assert_found();
    }
}

/// Opens a store: once the disk is mended, if it lets nobody open it now.
pub fn open_at_last(disk: &Arc<TestDisk>, tiny_cache: bool) -> ContactStore {
    open_on(disk, tiny_cache).unwrap_or_else(|error| {
        assert_not_opened(&error);
        disk.mend();
        open_on(disk, tiny_cache).unwrap()
    })
}

/// Whether the file says that it was closed cleanly.
fn is_clean(file: &Blocks) -> bool {
    const RECOVERY_REQUIRED: u8 = 2;
    file.block(0)[9] & RECOVERY_REQUIRED == 0
}

/// The disk failed; nothing else did.
#[track_caller]
pub fn assert_io(cause: &StorageError) {
    assert!(
        matches!(cause, StorageError::Io(_) | StorageError::Stopped),
        "{cause:?}"
    );
}

#[track_caller]
pub fn assert_not_opened(error: &Error) {
    assert!(matches!(error, Error::Open(OpenError::Io(_))), "{error:?}");
}
