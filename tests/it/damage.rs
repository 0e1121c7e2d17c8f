//! Damaged files (R50): every answer is right, or there is a typed error and the file is as it was.
//! A file is never silently at an earlier state.
//!
//! redb is built here without its debug assertions (`[profile.dev.package.redb]`), so the README's
//! test command sees what a release build does.
//!
//! One thing is not tested because nobody could notice it: a whole header page from before the
//! last two writes to it, that is, a disk that lost an acknowledged write without a trace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use contact_store::{ContactStore, Error, GivenIdentifiers, OpenError, StorageError, TokenEntry};

use crate::failing_disk::disk::{Random, TestDisk};
use crate::failing_disk::script::{
    Expected, Image, Request, ask, expected, image_after, script_options,
};
use crate::support::cases::watched;
use crate::support::{add, connect, find, id};

const PAGE: usize = 4_096;
/// Lines of the script before the file gets large.
const LINES: usize = 12;

/// Where files are made: in memory, where there is such a place, since each is synced many times.
fn scratch() -> tempfile::TempDir {
    let shared_memory = Path::new("/dev/shm");
    if shared_memory.is_dir() {
        tempfile::tempdir_in(shared_memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Damaged files of one kind, and what became of them.
struct Damaged {
    directory: tempfile::TempDir,
    expected: &'static Expected,
    became: BTreeMap<String, u32>,
    cases: u32,
    started: Instant,
}

impl Damaged {
    fn new() -> Self {
        Damaged {
            directory: scratch(),
            expected: expected(),
            became: BTreeMap::new(),
            cases: 0,
            started: Instant::now(),
        }
    }

    /// Opens a file with these bytes. It is refused and unchanged, or all of it is right at
    /// `number` and it can be written to.
    fn check(&mut self, name: &str, bytes: Vec<u8>, number: u64) {
        let path = self.directory.path().join("damaged.redb");
        fs::write(&path, &bytes).unwrap();
        let expected = self.expected;
        let became = watched(name, move || open_damaged(&path, &bytes, expected, number));
        *self.became.entry(became).or_default() += 1;
        self.cases += 1;
    }

    fn finish(self, what: &str) {
        println!(
            "{what}: {} files in {:.1?}: {:?}",
            self.cases,
            self.started.elapsed(),
            self.became
        );
    }
}

fn open_damaged(path: &Path, bytes: &[u8], expected: &Expected, number: u64) -> String {
    match ContactStore::open(path, script_options(false)) {
        Ok(store) => {
            expected.assert_at(&store, number);
            let written = Request::Erase(id(2)).run(&store).unwrap();
            assert_eq!(written.value(), number + 1);
            assert_eq!(store.snapshot().unwrap().verify().unwrap().problems, []);
            store.close().unwrap();
            "right".to_owned()
        }
        Err(Error::Open(
            error @ (OpenError::Damaged(_)
            | OpenError::HalfCreated
            | OpenError::Foreign
            | OpenError::Empty),
        )) => {
            assert!(
                fs::read(path).unwrap() == bytes,
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

/// The pages of a file that are not all zeroes.
fn used_pages(bytes: &[u8]) -> Vec<usize> {
    let used = |page: &usize| bytes[page * PAGE..(page + 1) * PAGE] != [0; PAGE];
    (0..bytes.len() / PAGE).filter(used).collect()
}

#[test]
fn a_file_with_a_flipped_bit_in_its_header_is_right_or_refused() {
    let Image {
        closed,
        open,
        number,
    } = image_after(LINES);
    let mut damaged = Damaged::new();
    for bit in 0..512 * 8 {
        // Every bit in one file or the other. Those that say which commit counts in both: the flags,
        // and the numbers of the two commits.
        let byte = bit / 8;
        let both = byte == 9 || (168..176).contains(&byte) || (296..304).contains(&byte);
        // Nothing is kept behind the second slot; one bit of each byte will do.
        if byte >= 320 && bit % 8 != byte % 8 {
            continue;
        }
        if both || bit % 2 == 0 {
            damaged.check(&format!("closed, bit {bit}"), flip(&closed, bit), number);
        }
        if both || bit % 2 == 1 {
            damaged.check(&format!("open, bit {bit}"), flip(&open, bit), number);
        }
    }
    damaged.finish("one bit of the first 512 bytes");
}

#[test]
fn a_file_with_a_flipped_bit_is_right_or_refused() {
    let image = image_after(LINES);
    let mut damaged = Damaged::new();
    let mut random = Random(1);
    for (name, bytes) in [("closed", &image.closed), ("open", &image.open)] {
        let used = used_pages(bytes);
        for _ in 0..150 {
            let page = used[random.below(used.len())];
            let bit = page * PAGE * 8 + random.below(PAGE * 8);
            damaged.check(
                &format!("{name}, bit {bit}"),
                flip(bytes, bit),
                image.number,
            );
        }
    }
    damaged.finish("one bit");
}

#[test]
fn a_file_with_a_wrong_page_is_right_or_refused() {
    let image = image_after(LINES);
    let earlier = image_after(LINES - 2);
    let mut damaged = Damaged::new();
    for (name, bytes, before) in [
        ("closed", &image.closed, &earlier.closed),
        ("open", &image.open, &earlier.open),
    ] {
        let used = used_pages(bytes);
        for (turn, page) in used.iter().copied().enumerate() {
            let span = page * PAGE..(page + 1) * PAGE;
            let mut random = Random(u64::try_from(page).unwrap());

            let mut zeroed = bytes.clone();
            zeroed[span.clone()].fill(0);
            damaged.check(&format!("{name}, page {page} zeroed"), zeroed, image.number);

            if turn % 2 == 0 {
                let mut garbled = bytes.clone();
                // The magic number may stay: the page is then damaged, and not foreign.
                let from = span.start + if page == 0 { 9 } else { 0 };
                for byte in &mut garbled[from..span.end] {
                    *byte = random.number().to_le_bytes()[0];
                }
                damaged.check(
                    &format!("{name}, page {page} random"),
                    garbled,
                    image.number,
                );
            } else {
                let other = used[random.below(used.len())];
                let mut swapped = bytes.clone();
                let (one, two) = (bytes[span.clone()].to_vec(), other * PAGE);
                swapped.copy_within(two..two + PAGE, span.start);
                swapped[two..two + PAGE].copy_from_slice(&one);
                damaged.check(
                    &format!("{name}, pages {page} and {other} swapped"),
                    swapped,
                    image.number,
                );
            }
            if page > 0 && before.len() >= span.end && before[span.clone()] != bytes[span.clone()] {
                let mut stale = bytes.clone();
                stale[span.clone()].copy_from_slice(&before[span]);
                damaged.check(&format!("{name}, page {page} stale"), stale, image.number);
            }
        }
    }
    damaged.finish("one page");
}

#[test]
fn a_file_of_another_length_is_right_or_refused() {
    let image = image_after(LINES);
    let mut damaged = Damaged::new();
    let mut random = Random(2);
    for (name, bytes) in [("closed", &image.closed), ("open", &image.open)] {
        let mut lengths = vec![
            0, 1, 8, 9, 10, 63, 319, 320, 321, 4_095, 4_096, 4_097, 8_192,
        ];
        lengths.extend([bytes.len() - 1, bytes.len() - PAGE, bytes.len() / 2]);
        lengths.extend((0..16).map(|_| random.below(bytes.len())));
        lengths.extend((0..16).map(|_| random.below(bytes.len() / PAGE) * PAGE));
        for len in lengths {
            let cut = bytes[..len].to_vec();
            damaged.check(&format!("{name}, cut to {len}"), cut, image.number);
        }
        for more in [1, 100, PAGE - 1, PAGE, 2 * PAGE, 64 * PAGE, 512 * PAGE] {
            for byte in [0, 0xa5] {
                let mut longer = bytes.clone();
                longer.resize(bytes.len() + more, byte);
                let case = format!("{name}, longer by {more} of {byte}");
                damaged.check(&case, longer, image.number);
            }
        }
    }
    damaged.finish("another length");
}

#[test]
fn a_file_with_a_strange_header_field_is_right_or_refused() {
    let image = image_after(LINES);
    let mut damaged = Damaged::new();
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
    for (name, bytes) in [("closed", &image.closed), ("open", &image.open)] {
        for (at, width) in &fields {
            for value in [0, 1, 2, 3, 0x1000, 0x10_0000, u64::MAX / 2, u64::MAX] {
                let mut strange = bytes.clone();
                strange[*at..at + width].copy_from_slice(&value.to_le_bytes()[..*width]);
                let case = format!("{name}, {value:#x} at {at}");
                damaged.check(&case, strange, image.number);
            }
        }
        for flags in 0..=255 {
            let mut strange = bytes.clone();
            strange[9] = flags;
            damaged.check(&format!("{name}, flags {flags:#x}"), strange, image.number);
        }
    }
    damaged.finish("one field of the header");
}

/// redb verifies no page that it reads while the store is open: it would answer wrongly, and where
/// it panics twice it would end the process. The store notices first (see `storage::witness`).
#[test]
fn what_is_damaged_while_the_store_is_open_is_never_shown() {
    let started = Instant::now();
    let expected = expected();
    let image = image_after(LINES);
    let used = used_pages(&image.closed);
    let (mut right, mut errors) = (0, 0);
    for case in 0..120 {
        let (bytes, used, number) = (image.closed.clone(), used.clone(), image.number);
        let answers = watched(&format!("damaged while open, seed {case}"), move || {
            damage_an_open_store(case, bytes, &used, expected, number)
        });
        right += answers.0;
        errors += answers.1;
    }
    println!(
        "120 stores damaged while open in {:.1?}: {right} right answers, {errors} errors",
        started.elapsed()
    );
    assert!(errors > 1_000, "the damage was hardly met");
}

/// Gives how many answers were right, and how many were errors.
fn damage_an_open_store(
    case: u64,
    bytes: Vec<u8>,
    used: &[usize],
    expected: &Expected,
    number: u64,
) -> (u32, u32) {
    let mut random = Random(case);
    let disk = TestDisk::with(bytes);
    let mut options = script_options(false);
    // Whatever is read is read from the disk.
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    let now = store.snapshot().unwrap();
    disk.damage(|bytes| {
        for _ in 0..4 {
            // Not the header: it is read at opening only.
            let page = used[1 + random.below(used.len() - 1)];
            let other = used[1 + random.below(used.len() - 1)];
            let bits_from = match case % 3 {
                // Anywhere in a page; where it says what it is and where its rows are; all of it.
                0 => Some(PAGE * 8),
                1 => Some(64 * 8),
                _ => None,
            };
            match bits_from {
                Some(bits) => {
                    let bit = page * PAGE * 8 + random.below(bits);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                None => bytes.copy_within(other * PAGE..(other + 1) * PAGE, page * PAGE),
            }
        }
    });
    let (mut right, mut errors) = (0, 0);
    let all_right = &expected.at(number).answers;
    for (question, (answer, right_one)) in ask(&now).iter().zip(all_right).enumerate() {
        match answer {
            Ok(seen) => {
                assert_eq!(seen, right_one, "question {question}");
                right += 1;
            }
            Err(Error::Storage(StorageError::Corrupt(_) | StorageError::Stopped)) => errors += 1,
            Err(other) => panic!("question {question}: {other:?}"),
        }
    }
    match now.verify() {
        Ok(verified) => assert!(verified.is_sound(), "what is wrong is not the rows"),
        Err(Error::Storage(StorageError::Corrupt(_) | StorageError::Stopped)) => {}
        Err(other) => panic!("{other:?}"),
    }
    // A write is refused, or its commit fails, where it meets the damage.
    match Request::Erase(id(2)).run(&store) {
        Ok(_)
        | Err(
            Error::NeedsReopen
            | Error::Indeterminate { .. }
            | Error::Storage(StorageError::Corrupt(_) | StorageError::Stopped),
        ) => {}
        Err(other) => panic!("{other:?}"),
    }
    match store.reopen() {
        Ok(_) | Err(Error::Open(OpenError::Damaged(_))) => {}
        Err(other) => panic!("{other:?}"),
    }
    match store.close() {
        Ok(()) | Err(Error::CloseIncomplete(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
    (right, errors)
}

/// The index of the emails says which cards share a hash; the cards say which is meant. Here the
/// store is opened as if its hashes had two bits, after it was written as if they had one.
#[test]
fn an_index_row_that_leads_to_a_card_that_does_not_belong_there_is_corrupt() {
    let email = |n: u32| GivenIdentifiers::new().email(format!("person{n}@example.com"));
    let disk = TestDisk::empty();
    let open = |hash_mask| {
        let mut options = script_options(false);
        options.testing.hash_mask = hash_mask;
        ContactStore::open_on_disk(disk.clone(), options).unwrap()
    };
    let store = open(1);
    connect(&store);
    let ids: Vec<_> = (0..64)
        .map(|n| add(&store, TokenEntry::new(n.to_string()).identifiers(email(n))).contact)
        .collect();
    store.close().unwrap();

    let store = open(3);
    let (mut right, mut missing, mut corrupt) = (0, 0, 0);
    for (n, id) in (0..64).zip(ids) {
        match find(&store, email(n)) {
            Ok(Some(found)) if found.card.id == id => right += 1,
            Ok(None) => missing += 1,
            Err(Error::Storage(StorageError::Corrupt(
                "an index row names a row that does not belong there",
            ))) => corrupt += 1,
            other => panic!("{other:?}"),
        }
    }
    println!("{right} right, {missing} missing, {corrupt} corrupt");
    assert!(corrupt > 0, "no row led to a strange card");
    assert!(!store.snapshot().unwrap().verify().unwrap().is_sound());
}
