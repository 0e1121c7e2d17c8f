//! A sync that fails and forgets: the system takes the pages for clean and never writes them. It goes
//! on showing them, or it reads what was there before from the device again; systems do either. The
//! store is opened again in the same boot, acknowledges more, and then the power is cut (R46, R49).
//!
//! What was read back after the failure must not count before it was written again.

use super::disk::{Call, TestDisk, WrittenBack};
use super::play::{
    CLOSING_FAILED, COMMIT_FAILED, Came, FOUND_BEGUN, FOUND_NOT_BEGUN, Play, Remedy, open_at_last,
};
use super::script::before_each_line;
use crate::support::cases::{CASES, Cases};

/// One case. All that it depends on is in its `Debug`.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// The line that is played first.
    line: usize,
    /// Whether the store had been closed before.
    closed: bool,
    /// Which sync fails: of opening, of the line, or of closing.
    sync: u64,
    written: WrittenBack,
    /// Whether what was not written is gone immediately.
    evicted: bool,
    remedy: Remedy,
    /// How many lines are played after it.
    lines_after: usize,
}

impl Case {
    fn open(self) -> Play {
        let before = &before_each_line()[self.line];
        let found = if self.closed {
            &before.closed
        } else {
            &before.open
        };
        let disk = TestDisk::with(found.clone());
        disk.fail_sync_after(self.sync, self.written);
        if self.evicted {
            disk.evict_after_failed_sync();
        }
        // With next to no cache what is gone is read.
        let store = open_at_last(&disk, self.evicted);
        Play::at(before.number, disk, self.evicted, store)
    }

    fn run(self) -> Play {
        let mut play = self.open();
        if play.line(self.line, 0) == Came::ToAFailure {
            play.assert_failed();
            play.restore(self.remedy);
        }
        // Beyond here the sync that fails can only be one of closing.
        if play.disk.failed_calls() == 0 {
            play.close();
            play.open_new();
        }
        assert_eq!(play.go_on(self.line + self.lines_after), Came::ToTheEnd);
        play.assert_survives_a_power_cut();
        play.close();
        let store = open_at_last(&play.disk, false);
        play.expected.assert_at(&store, play.acknowledged);
        play
    }

    /// How many syncs there are when none fails.
    fn syncs(self) -> u64 {
        let mut play = Case { sync: 0, ..self }.open();
        assert_eq!(play.line(self.line, 0), Came::ToTheEnd);
        play.close();
        play.disk.calls_of(Call::Sync)
    }
}

#[test]
fn a_sync_that_fails_and_forgets_loses_nothing_acknowledged_before_or_after_it() {
    let cases = Cases::new();
    let lines = if cases.every() {
        (0..before_each_line().len() - 4).collect()
    } else {
        vec![2, 12]
    };
    for line in lines {
        for closed in [true, false] {
            let case = Case {
                line,
                closed,
                sync: 1,
                written: WrittenBack::Nothing,
                evicted: false,
                remedy: Remedy::Reopen,
                lines_after: 0,
            };
            for sync in 1..=case.syncs() {
                every_way(&cases, Case { sync, ..case });
            }
        }
    }
    cases.finish(&[
        (CASES, 300),
        ("failed syncs", 300),
        (COMMIT_FAILED, 100),
        (FOUND_BEGUN, 50),
        (FOUND_NOT_BEGUN, 20),
        (CLOSING_FAILED, 20),
    ]);
}

fn every_way(cases: &Cases, case: Case) {
    for written in [
        WrittenBack::Nothing,
        WrittenBack::EveryOther,
        WrittenBack::Header,
        WrittenBack::AllButHeader,
        WrittenBack::Everything,
        WrittenBack::Some(case.sync),
    ] {
        for (evicted, remedy, lines_after) in [
            (false, Remedy::Reopen, 0),
            (false, Remedy::NewStore, 0),
            (false, Remedy::Reopen, 1),
            (false, Remedy::NewStore, 3),
            (true, Remedy::Reopen, 0),
            (true, Remedy::Reopen, 1),
            (true, Remedy::NewStore, 1),
        ] {
            let case = Case {
                written,
                evicted,
                remedy,
                lines_after,
                ..case
            };
            let done = cases.run(&format!("{case:?}"), move || {
                let play = case.run();
                (play.disk.failed_calls(), play.met)
            });
            let Some((failed_calls, met)) = done else {
                continue;
            };
            cases.count("failed syncs", failed_calls);
            for met in met {
                cases.count(met, 1);
            }
        }
    }
}
