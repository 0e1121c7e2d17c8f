//! Damaged files (R50): every answer is right and writes work, or there is a typed error and the file
//! is as it was. A file is never silently at an earlier state.
//!
//! **In the release profile.** redb's debug assertions would hide what a user sees: where one of them
//! panics, the panic is caught and turned into an error, and a release build goes on. So the crates
//! that see bytes of a file are built without debug assertions and overflow checks in the profile of
//! the tests too (`[profile.dev.package.*]`), and this crate has none: the lint
//! `arithmetic_side_effects` allows it no arithmetic that could overflow, and
//! `nothing_here_depends_on_the_profile` holds it to having no debug assertion. So the README's command
//! for the tests sees what a release build does.
//!
//! One thing is not tested because nobody could notice it: a whole header page from before the
//! last two writes to it, that is, a disk that lost an acknowledged write without a trace.

mod answers;
mod changes;
mod conflicts;
mod merges;
mod optional;
mod rows;
mod unnoticed;

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use contact_store::{ContactStore, Error, OpenError};

use crate::failing_disk::disk::WrittenBack;
use crate::failing_disk::play::Play;
use crate::failing_disk::script::{Before, Request, before_each_line, expected, script_options};
use crate::layering::source::package;
use crate::support::cases::{CASES, Cases, HANG};
use crate::support::id;
use crate::support::random::Random;

const PAGE: usize = 4_096;
/// Lines of the script until all tables are in use and contacts were upserted, before the file gets
/// large.
const LINES: usize = 14;

const RIGHT: &str = "right";
const RIGHT_BEGUN: &str = "right, with what was not acknowledged";
const FOREIGN: &str = "the file is not a contact store";
const HALF_CREATED: &str = "the file was never completely created";
const EMPTY: &str = "the file is empty";
const ENDS_EARLY: &str = "the file is damaged: the file ends early";
const DO_NOT_FIT: &str = "the file is damaged: pages that do not fit together";
const STATE: &str = "the file is damaged: a state that the storage engine refuses";

/// A file of the script, and what it is at.
#[derive(Clone)]
struct Whole {
    name: &'static str,
    bytes: Vec<u8>,
    /// The same file two lines earlier.
    earlier: Vec<u8>,
    number: u64,
    /// The number of a commit that is whole in it and was never acknowledged.
    begun: u64,
}

/// Waits for what the writer does when nobody asks for anything.
#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < HANG, "it is never so");
        thread::yield_now();
    }
}

/// The files after the first `lines` lines: closed cleanly, and not, and in the middle of a commit,
/// which is two lines earlier.
fn files(lines: usize) -> [Whole; 3] {
    let in_flight = Play::with_failed_commit(lines - 2, false, WrittenBack::Nothing);
    let before: &Before = &before_each_line()[lines];
    let earlier = &before_each_line()[lines - 2];
    [
        Whole {
            name: "closed",
            bytes: before.closed.to_vec(),
            earlier: earlier.closed.to_vec(),
            number: before.number,
            begun: before.number,
        },
        Whole {
            name: "open",
            bytes: before.open.to_vec(),
            earlier: earlier.open.to_vec(),
            number: before.number,
            begun: before.number,
        },
        Whole {
            name: "in flight",
            bytes: in_flight.disk.after_power_cut(),
            earlier: earlier.closed.to_vec(),
            number: in_flight.acknowledged,
            begun: in_flight.begun,
        },
    ]
}

/// Where files are made: in memory, where there is such a place, since each is synced many times.
fn scratch() -> tempfile::TempDir {
    let shared_memory = Path::new("/dev/shm");
    if shared_memory.is_dir() {
        tempfile::tempdir_in(shared_memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Damaged files of one kind, and the outcome of opening them.
struct Damaged {
    directory: tempfile::TempDir,
    cases: Cases,
}

impl Damaged {
    fn new() -> Self {
        Damaged {
            directory: scratch(),
            cases: Cases::new(),
        }
    }

    /// Opens a file with these bytes. It is refused and unchanged, or all of it is right, nothing
    /// acknowledged is missing, and it can be written to.
    fn check(&self, file: &Whole, what: &str, bytes: Vec<u8>) {
        let path = self.directory.path().join("damaged.redb");
        let number = file.number..=file.begun;
        let name = format!("{} at {number:?}, {what}", file.name);
        let became = self
            .cases
            .run(&name, move || open_damaged(path, &bytes, number));
        if let Some(became) = became {
            self.cases.count(&became, 1);
        }
    }

    #[track_caller]
    fn finish(self, least: &[(&str, u64)]) {
        self.cases.finish(least);
    }
}

fn open_damaged(path: PathBuf, bytes: &[u8], number: RangeInclusive<u64>) -> String {
    fs::write(&path, bytes).unwrap();
    match ContactStore::open(&path, script_options(false)) {
        Ok(store) => {
            let found = store.snapshot().unwrap().sequence().value();
            assert!(number.contains(&found), "found {found}, not {number:?}");
            expected().assert_at(&store, found);
            let written = Request::Erase(id(2)).run(&store).unwrap();
            assert_eq!(written.value(), found + 1);
            assert_eq!(store.snapshot().unwrap().verify().unwrap().problems, []);
            store.close().unwrap();
            let begun = if found > *number.start() {
                RIGHT_BEGUN
            } else {
                RIGHT
            };
            begun.to_owned()
        }
        Err(Error::Open(
            error @ (OpenError::Damaged(_)
            | OpenError::HalfCreated
            | OpenError::Foreign
            | OpenError::Empty),
        )) => {
            assert!(
                fs::read(&path).unwrap() == bytes,
                "refused ({error}), but changed"
            );
            error.to_string()
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn page(bytes: &[u8], page: usize) -> &[u8] {
    &bytes[page * PAGE..(page + 1) * PAGE]
}

fn with_page(bytes: &[u8], number: usize, page: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[number * PAGE..(number + 1) * PAGE].copy_from_slice(page);
    bytes
}

/// The pages of a file that are not all zeroes.
fn used_pages(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len() / PAGE)
        .filter(|number| page(bytes, *number) != [0; PAGE])
        .collect()
}

#[test]
fn a_file_with_a_flipped_bit_in_its_header_is_right_or_refused() {
    let damaged = Damaged::new();
    let [closed, open, in_flight] = files(LINES);
    for bit in 0..512 * 8 {
        // Every bit in one file or the other. Those that say which commit counts in both: the flags,
        // and the numbers of the two commits.
        let byte = bit / 8;
        let both = byte == 9 || (168..176).contains(&byte) || (296..304).contains(&byte);
        // Nothing is kept after the second slot; one bit of each byte will do.
        if byte >= 320 && bit % 8 != byte % 8 && !damaged.cases.every() {
            continue;
        }
        for (file, turn) in [(&closed, 0), (&open, 1), (&in_flight, byte % 2)] {
            if both || bit % 2 == turn || damaged.cases.every() {
                damaged.check(file, &format!("bit {bit}"), flip(&file.bytes, bit));
            }
        }
    }
    damaged.finish(&[
        (CASES, 3_000),
        (RIGHT, 1_000),
        (RIGHT_BEGUN, 100),
        (FOREIGN, 70),
        (DO_NOT_FIT, 500),
    ]);
}

#[test]
fn a_file_with_a_flipped_bit_is_right_or_refused() {
    let damaged = Damaged::new();
    let times = if damaged.cases.every() { 5_000 } else { 250 };
    for (lines, times) in [(LINES, times), (before_each_line().len() - 1, times / 5)] {
        for file in files(lines) {
            let mut random = Random(1);
            let used = used_pages(&file.bytes);
            for _ in 0..times {
                let start = |random: &mut Random| used[random.below(used.len())] * PAGE * 8;
                let anywhere = random.below(file.bytes.len() * 8);
                let in_use = start(&mut random) + random.below(PAGE * 8);
                // What the page is, and how many rows it has.
                let header = start(&mut random) + random.below(16 * 8);
                for (where_, bit) in [
                    ("anywhere", anywhere),
                    ("in a page in use", in_use),
                    ("in the header of a page", header),
                ] {
                    let what = format!("bit {bit}, {where_}");
                    damaged.check(&file, &what, flip(&file.bytes, bit));
                }
            }
        }
    }
    damaged.finish(&[
        (CASES, 2_000),
        (RIGHT, 500),
        (RIGHT_BEGUN, 100),
        (DO_NOT_FIT, 200),
    ]);
}

#[test]
fn a_file_with_a_wrong_page_is_right_or_refused() {
    let damaged = Damaged::new();
    for lines in [LINES, LINES + 2, LINES + 6] {
        for file in files(lines) {
            let used = used_pages(&file.bytes);
            for number in used.iter().copied() {
                wrong_pages(&damaged, &file, &used, number);
            }
        }
    }
    damaged.finish(&[
        (CASES, 500),
        (RIGHT, 50),
        (RIGHT_BEGUN, 12),
        (DO_NOT_FIT, 300),
        (HALF_CREATED, 4),
        ("stale", 20),
    ]);
}

/// What a row holds is verified with its page, before anything of the file is changed or shown.
#[test]
fn a_flipped_bit_in_a_text_is_refused_at_opening_where_the_text_is_in_use() {
    const TEXT: &[u8] = b"@example.com";
    let damaged = Damaged::new();
    for file in files(LINES) {
        let starts = 0..file.bytes.len() - TEXT.len();
        let texts = starts.filter(|start| file.bytes[*start..].starts_with(TEXT));
        for start in texts {
            let bit = start * 8 + start % 64;
            damaged.check(&file, &format!("bit {bit}"), flip(&file.bytes, bit));
        }
    }
    damaged.finish(&[(CASES, 90), (DO_NOT_FIT, 50)]);
}

/// One page zeroed, random, swapped with another, and as it was before.
fn wrong_pages(damaged: &Damaged, file: &Whole, used: &[usize], number: usize) {
    let mut random = Random(u64::try_from(number).unwrap());
    let there = page(&file.bytes, number);
    let check = |what: &str, page: &[u8]| {
        let what = format!("page {number} {what}");
        damaged.check(file, &what, with_page(&file.bytes, number, page));
    };
    check("zeroed", &[0; PAGE]);

    let mut garbled = there.to_vec();
    // The magic number may stay: the page is then damaged, and not foreign.
    for byte in &mut garbled[if number == 0 { 9 } else { 0 }..] {
        *byte = random.number().to_le_bytes()[0];
    }
    check("random", &garbled);

    let other = used[random.below(used.len())];
    let swapped = with_page(&file.bytes, number, page(&file.bytes, other));
    let swapped = with_page(&swapped, other, there);
    damaged.check(
        file,
        &format!("pages {number} and {other} swapped"),
        swapped,
    );

    if number > 0
        && file.earlier.len() >= (number + 1) * PAGE
        && page(&file.earlier, number) != there
    {
        check("stale", page(&file.earlier, number));
        damaged.cases.count("stale", 1);
    }
}

#[test]
fn a_file_of_another_length_is_right_or_refused() {
    let damaged = Damaged::new();
    let mut random = Random(2);
    for file in files(LINES) {
        let len = file.bytes.len();
        let mut lengths = vec![
            0, 1, 8, 9, 10, 63, 319, 320, 321, 4_095, 4_096, 4_097, 8_192,
        ];
        lengths.extend([len - 1, len - PAGE, len / 2]);
        lengths.extend((0..96).map(|_| random.below(len)));
        lengths.extend((0..len / PAGE).map(|page| page * PAGE));
        for len in lengths {
            let cut = file.bytes[..len].to_vec();
            damaged.check(&file, &format!("cut to {len}"), cut);
        }
        for more in [1, 100, PAGE - 1, PAGE, 2 * PAGE, 64 * PAGE, 512 * PAGE] {
            for byte in [0, 0xa5] {
                let mut longer = file.bytes.clone();
                longer.resize(len + more, byte);
                damaged.check(&file, &format!("longer by {more} of {byte}"), longer);
            }
        }
    }
    damaged.finish(&[
        (CASES, 300),
        (RIGHT, 10),
        (EMPTY, 2),
        (FOREIGN, 4),
        (ENDS_EARLY, 4),
        (DO_NOT_FIT, 1),
    ]);
}

#[test]
fn a_file_with_a_strange_header_field_is_right_or_refused() {
    let damaged = Damaged::new();
    // Page size, pages of a region's header, pages of a region, full regions, pages of the last.
    let of_file = [12, 16, 20, 24, 28].map(|at| (at, 4));
    // Of a slot: version and which trees there are; roots, their checksums and lengths; number.
    let of_slot = [
        (0, 1),
        (1, 1),
        (2, 1),
        (8, 8),
        (16, 8),
        (32, 8),
        (40, 8),
        (104, 8),
        (112, 8),
    ];
    let slots = [64, 192].into_iter();
    let of_slots = slots.flat_map(|slot| of_slot.map(|(at, width)| (slot + at, width)));
    let fields: Vec<(usize, usize)> = of_file.into_iter().chain(of_slots).collect();
    for file in files(LINES) {
        for (at, width) in fields.iter().copied() {
            for value in [0, 1, 2, 3, 0x1000, 0x10_0000, u64::MAX / 2, u64::MAX] {
                let mut strange = file.bytes.clone();
                strange[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
                damaged.check(&file, &format!("{value:#x} at {at}"), strange);
            }
        }
        for flags in 0..=255 {
            let mut strange = file.bytes.clone();
            strange[9] = flags;
            damaged.check(&file, &format!("flags {flags:#x}"), strange);
        }
    }
    damaged.finish(&[
        (CASES, 1_000),
        (RIGHT, 100),
        (RIGHT_BEGUN, 100),
        (DO_NOT_FIT, 50),
        (STATE, 1),
    ]);
}

/// See the module: what a test sees of a damaged file must be what a user sees.
#[test]
fn nothing_here_depends_on_the_profile() {
    let root = package();
    let mut directories = vec![root.join("src")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The tool sees no byte of a file but through the library.
                if !path.ends_with("bin") {
                    directories.push(path);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for word in ["debug_assert", "overflow_checks"] {
                assert!(!text.contains(word), "{word} in {}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 50, "{files} files");

    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for package in ["bincode", "redb", "siphasher", "twox-hash"] {
        let profile = format!("[profile.dev.package.{package}]");
        let (_, settings) = manifest.split_once(&profile).expect(package);
        let settings = settings.split('[').next().unwrap();
        for setting in ["debug-assertions = false", "overflow-checks = false"] {
            assert!(settings.contains(setting), "{package}: no {setting}");
        }
    }
}
