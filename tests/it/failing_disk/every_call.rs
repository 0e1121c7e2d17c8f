//! Every call of a disk fails, each kind of call counted on its own, in every way it can (R46, R49).
//!
//! A case begins before one line of the script, so that a fault late in the script costs no more than
//! an early one. First each stage is played on a disk that does not fail, to count its calls. Every
//! case ends with a further line, a power cut, a clean closing, and everything read and verified.

use std::ops::Range;
use std::sync::Arc;

use contact_store::{Error, OpenError};

use super::disk::{Call, Fault, FaultKind, TestDisk, WrittenBack};
use super::play::{
    CLOSING_FAILED, COMMIT_FAILED, Came, FOUND_BEGUN, FOUND_NOT_BEGUN, Play, REFUSED_UNDECIDED,
    REOPENING_FAILED, Remedy, assert_not_opened, open_at_last,
};
use super::script::{before_each_line, expected, open_on};
use crate::support::cases::Cases;

/// While what the calls of the disk are counted, and one of them fails.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Creation,
    /// Opening what was there before a line.
    Opening(Found, usize),
    /// A line of requests, or one that reads or closes.
    Line(usize),
    /// All that there is before a line is read and verified.
    Reading(usize),
    /// Closing after a line.
    Closing(usize),
    /// Reopening, or opening a new store, after the commit of a line failed.
    Restoring(usize),
}

/// What a store is opened on.
#[derive(Clone, Copy, Debug)]
enum Found {
    Closed,
    /// After a power cut.
    Open,
    /// After a power cut in the middle of the line's commit: it is whole, and does not count yet.
    InFlight,
}

impl Found {
    /// Opens it; `arm` is called before. Nothing that was acknowledged is missing.
    fn open(self, line: usize, tiny_cache: bool, arm: impl FnOnce(&TestDisk)) -> Play {
        let before = &before_each_line()[line];
        let (disk, number) = match self {
            Found::Closed => (TestDisk::with(before.closed.clone()), before.number),
            Found::Open => (TestDisk::with(before.open.clone()), before.number),
            Found::InFlight => {
                let play = Play::with_failed_commit(line, tiny_cache, WrittenBack::Nothing);
                (TestDisk::with(play.disk.durable()), play.begun)
            }
        };
        arm(&disk);
        let store = open_at_last(&disk, tiny_cache);
        disk.mend();
        let mut play = Play::at(number, disk, tiny_cache, store);
        play.assert_found();
        play
    }
}

impl Stage {
    /// The line that is played in this stage, or before which it is.
    fn line(self) -> usize {
        match self {
            Stage::Creation => 0,
            Stage::Opening(_, line)
            | Stage::Line(line)
            | Stage::Reading(line)
            | Stage::Closing(line)
            | Stage::Restoring(line) => line,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Stage::Creation => "in creation",
            Stage::Opening(Found::Closed, _) => "in opening",
            Stage::Opening(Found::Open | Found::InFlight, _) => "in recovery",
            Stage::Line(_) => "in traffic",
            Stage::Reading(_) => "in reading and verify",
            Stage::Closing(_) => "in closing",
            Stage::Restoring(_) => "in recovery after a failed commit",
        }
    }
}

/// How each kind of call fails; any call of a disk that is dead from then on.
pub const WAYS: [(Option<Call>, &[FaultKind]); 6] = {
    use FaultKind::{FromThenOn, Full, FullOnce, Once, OnceInTheMiddle};
    [
        (None, &[FromThenOn]),
        (Some(Call::Len), &[Once, FromThenOn]),
        (Some(Call::Read), &[Once, FromThenOn]),
        (
            Some(Call::Write),
            &[Once, OnceInTheMiddle, FullOnce, FromThenOn, Full],
        ),
        (Some(Call::SetLen), &[Once, FullOnce, FromThenOn, Full]),
        (
            Some(Call::Sync),
            &[Once, OnceInTheMiddle, FullOnce, FromThenOn, Full],
        ),
    ]
};

/// One case. All that it depends on is in its `Debug`.
#[derive(Clone, Copy, Debug)]
struct Case {
    stage: Stage,
    tiny_cache: bool,
    remedy: Remedy,
    of: Option<Call>,
    fault: Fault,
}

impl Case {
    fn run(self) -> Option<Play> {
        let play = self
            .stage
            .play(self.tiny_cache, self.remedy, |disk| match self.of {
                Some(of) => disk.fail_calls(of, self.fault),
                None => disk.fail(Fault {
                    at: disk.calls() + self.fault.at,
                    ..self.fault
                }),
            });
        play.map(|(play, came)| settle(play, came, self))
    }
}

impl Stage {
    /// Plays up to the end of the stage; `arm` is called where it begins. `None` when nothing came of
    /// it: a creation that failed.
    fn play(
        self,
        tiny_cache: bool,
        remedy: Remedy,
        arm: impl FnOnce(&TestDisk),
    ) -> Option<(Play, Came)> {
        let line = self.line();
        let before = &before_each_line()[line];
        let opened = || {
            let disk = TestDisk::with(before.closed.clone());
            let store = open_on(&disk, tiny_cache).unwrap();
            Play::at(before.number, disk, tiny_cache, store)
        };
        match self {
            Stage::Creation => {
                let disk = TestDisk::empty();
                arm(&disk);
                match open_on(&disk, tiny_cache) {
                    Ok(store) => Some((Play::at(0, disk, tiny_cache, store), Came::ToTheEnd)),
                    Err(error) => {
                        assert_nothing_created(&disk, &error);
                        None
                    }
                }
            }
            Stage::Opening(found, _) => Some((found.open(line, tiny_cache, arm), Came::ToTheEnd)),
            Stage::Line(_) => {
                let mut play = opened();
                arm(&play.disk);
                let came = play.line(line, 0);
                Some((play, came))
            }
            Stage::Reading(_) => {
                let play = opened();
                arm(&play.disk);
                let read = play.read();
                let verified = play.verify();
                let came = if read == Came::ToTheEnd {
                    verified
                } else {
                    read
                };
                Some((play, came))
            }
            Stage::Closing(_) => {
                let mut play = opened();
                assert_eq!(play.line(line, 0), Came::ToTheEnd);
                arm(&play.disk);
                play.close();
                play.open_new();
                Some((play, Came::ToTheEnd))
            }
            Stage::Restoring(_) => {
                let mut play = Play::with_failed_commit(line, tiny_cache, WrittenBack::Nothing);
                play.assert_failed();
                arm(&play.disk);
                play.restore(remedy);
                Some((play, Came::ToTheEnd))
            }
        }
    }
}

/// A creation that failed. What is made anew and not finished is thrown away with its temporary name,
/// but it never passes for a store with something in it.
fn assert_nothing_created(disk: &Arc<TestDisk>, error: &Error) {
    assert_not_opened(error);
    disk.mend();
    match open_on(disk, false) {
        Ok(store) => expected().assert_at(&store, 0),
        Err(Error::Open(OpenError::HalfCreated | OpenError::Damaged(_))) => {}
        Err(other) => panic!("{other:?}"),
    }
}

/// Restores what failed, plays another line, cuts the power, and closes.
fn settle(mut play: Play, mut came: Came, case: Case) -> Play {
    let mut failures = 0;
    loop {
        if came == Came::ToAFailure {
            play.assert_failed();
            play.restore(case.remedy);
            failures += 1;
        }
        // The fault may wait for its call until here. What fails then may be what nobody waits for.
        play.disk.mend();
        came = play.go_on(case.stage.line() + 1);
        if came == Came::ToTheEnd {
            break;
        }
        assert!(failures < 2, "it fails on a disk that does not");
    }
    play.assert_survives_a_power_cut();
    play.close();
    let store = open_on(&play.disk, false).unwrap();
    play.expected.assert_at(&store, play.acknowledged);
    store.close().unwrap();
    play
}

/// Some of the calls 1 to `last`, at most `most` of them, the first and the last included.
fn places(last: u64, most: u64) -> Vec<u64> {
    if last <= most {
        return (1..=last).collect();
    }
    (0..most).map(|n| 1 + n * (last - 1) / (most - 1)).collect()
}

/// Plays a stage once for each call that may fail, or in the short form for some: `most` of each kind
/// and way.
fn every_call_fails(cases: &Cases, stage: Stage, tiny_cache: bool, most: u64) {
    let count = |disk: &TestDisk, of: Option<Call>| match of {
        Some(of) => disk.calls_of(of),
        None => disk.calls(),
    };
    let counted = WAYS.map(|(of, _)| {
        let mut from = 0;
        let play = stage.play(tiny_cache, Remedy::Reopen, |disk| from = count(disk, of));
        play.map_or(0, |(play, _)| count(&play.disk, of) - from)
    });
    for ((of, kinds), calls) in WAYS.into_iter().zip(counted) {
        let places = places(calls, if cases.every() { calls } else { most });
        for (nth, at) in places.into_iter().enumerate() {
            for (other, kind) in kinds.iter().copied().enumerate() {
                let case = Case {
                    stage,
                    tiny_cache,
                    remedy: [Remedy::Reopen, Remedy::NewStore][(nth + other) % 2],
                    of,
                    fault: Fault { at, kind },
                };
                one_call_fails(cases, case);
            }
        }
    }
}

/// Plays a line of which one call fails on a disk that says nothing of it.
pub fn one_call_fails_silently(line: usize, of: Call, at: u64) {
    let stage = Stage::Line(line);
    let case = Case {
        stage,
        tiny_cache: false,
        remedy: Remedy::Reopen,
        of: Some(of),
        fault: Fault {
            at,
            kind: FaultKind::Once,
        },
    };
    let played = stage.play(case.tiny_cache, case.remedy, |disk| {
        disk.say_nothing();
        disk.fail_calls(of, case.fault);
    });
    let (play, came) = played.unwrap();
    settle(play, came, case);
}

fn one_call_fails(cases: &Cases, case: Case) {
    let done = cases.run(&format!("{case:?}"), move || {
        case.run().map(|play| (play.disk.failed_calls(), play.met))
    });
    let Some(done) = done else { return };
    let (failed_calls, met) = done.unwrap_or_else(|| (1, vec!["creations failed"]));
    if failed_calls > 0 {
        cases.count(case.stage.name(), 1);
        cases.count(&way(case.of, case.fault.kind), 1);
    }
    for met in met {
        cases.count(met, 1);
    }
}

fn way(of: Option<Call>, kind: FaultKind) -> String {
    match of {
        Some(of) => format!("{of:?} {kind:?}"),
        None => format!("any {kind:?}"),
    }
}

/// Each way in which each of these calls can fail was met this often.
fn ways(of: &[Option<Call>], least: u64) -> Vec<(String, u64)> {
    let wanted = WAYS.iter().filter(|(call, _)| of.contains(call));
    wanted
        .flat_map(|(of, kinds)| kinds.iter().map(|kind| (way(*of, *kind), least)))
        .collect()
}

fn finish(cases: Cases, met: &[(&str, u64)], ways: &[(String, u64)]) {
    let ways = ways.iter().map(|(way, least)| (way.as_str(), *least));
    cases.finish(&met.iter().copied().chain(ways).collect::<Vec<_>>());
}

const OF_OPENING: &[Option<Call>] = &[
    None,
    Some(Call::Len),
    Some(Call::Read),
    Some(Call::Write),
    Some(Call::Sync),
];
const ALL: &[Option<Call>] = &[
    None,
    Some(Call::Len),
    Some(Call::Read),
    Some(Call::Write),
    Some(Call::SetLen),
    Some(Call::Sync),
];

fn lines() -> Range<usize> {
    0..expected().script.len()
}

#[test]
fn a_call_that_fails_under_traffic_loses_nothing_acknowledged() {
    let cases = Cases::new();
    for line in lines() {
        every_call_fails(&cases, Stage::Line(line), false, 6);
    }
    let met = [
        ("in traffic", 900),
        (COMMIT_FAILED, 100),
        (FOUND_BEGUN, 20),
        (FOUND_NOT_BEGUN, 100),
        (REFUSED_UNDECIDED, 10),
        (REOPENING_FAILED, 20),
        (CLOSING_FAILED, 20),
    ];
    finish(
        cases,
        &met,
        &ways(&[Some(Call::Write), Some(Call::Sync)], 20),
    );
}

#[test]
fn a_call_that_fails_under_traffic_with_next_to_no_cache_loses_nothing_acknowledged() {
    let cases = Cases::new();
    for line in lines() {
        every_call_fails(&cases, Stage::Line(line), true, 4);
    }
    finish(cases, &[("in traffic", 600)], &ways(ALL, 1));
}

#[test]
fn a_call_that_fails_while_a_store_is_created_leaves_an_empty_store_or_none() {
    let cases = Cases::new();
    every_call_fails(&cases, Stage::Creation, false, 40);
    finish(
        cases,
        &[("in creation", 150), ("creations failed", 100)],
        &[],
    );
}

#[test]
fn a_call_that_fails_while_a_store_is_opened_or_recovered_loses_nothing_acknowledged() {
    let cases = Cases::new();
    for line in [1, 13, 23] {
        for found in [Found::Closed, Found::Open, Found::InFlight] {
            every_call_fails(&cases, Stage::Opening(found, line), false, 8);
        }
    }
    finish(
        cases,
        &[("in opening", 100), ("in recovery", 300)],
        &ways(OF_OPENING, 30),
    );
}

#[test]
fn a_call_that_fails_while_a_failed_store_is_restored_loses_nothing_acknowledged() {
    let cases = Cases::new();
    for line in [2, 12, 23] {
        every_call_fails(&cases, Stage::Restoring(line), false, 8);
    }
    let met = [
        ("in recovery after a failed commit", 150),
        (REOPENING_FAILED, 50),
        (FOUND_BEGUN, 10),
    ];
    finish(cases, &met, &[]);
}

#[test]
fn a_call_that_fails_while_everything_is_read_or_the_store_is_closed_loses_nothing_acknowledged() {
    let cases = Cases::new();
    for line in [9, 13, 25] {
        every_call_fails(&cases, Stage::Reading(line), true, 24);
        every_call_fails(&cases, Stage::Closing(line), false, 8);
    }
    let met = [
        ("in reading and verify", 100),
        ("in closing", 100),
        (CLOSING_FAILED, 100),
    ];
    finish(cases, &met, &[]);
}
