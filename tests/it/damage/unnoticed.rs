//! Damage that no check at opening could notice: it came while the store was open, or the options
//! leave the check away, or the rows are wrong and the pages are not.

use contact_store::{
    Check, ContactStore, Error, GivenIdentifiers, OpenError, Problem, StorageError, TokenEntry,
};

use super::{LINES, PAGE, flip, used_pages, wait_until};
use crate::failing_disk::disk::TestDisk;
use crate::failing_disk::script::{Request, Seen, ask, before_each_line, expected, script_options};
use crate::support::cases::{CASES, Cases};
use crate::support::random::Random;
use crate::support::{add, connect, find, id};

const RIGHT_ANSWERS: &str = "right answers";
const FOUND_BY_READING: &str = "answers that the file is corrupt";

/// redb verifies no page that it reads while the store is open: it would answer wrongly, and where
/// it panics twice it would end the process. The store notices first (see `storage::witness`).
#[test]
fn what_is_damaged_while_the_store_is_open_is_never_shown() {
    let cases = Cases::new();
    let used = used_pages(&before_each_line()[LINES].closed.to_vec());
    for seed in 0..if cases.every() { 5_000 } else { 300 } {
        let used = used.clone();
        let answers = cases.run(&format!("seed {seed}"), move || {
            damage_an_open_store(seed, &used)
        });
        let (right, errors) = answers.unwrap_or_default();
        cases.count(RIGHT_ANSWERS, right);
        cases.count(FOUND_BY_READING, errors);
    }
    cases.finish(&[
        (CASES, 300),
        (RIGHT_ANSWERS, 10_000),
        (FOUND_BY_READING, 3_000),
    ]);
}

/// Gives how many answers were right, and how many were errors.
fn damage_an_open_store(case: u64, used: &[usize]) -> (u64, u64) {
    let before = &before_each_line()[LINES];
    let mut random = Random(case);
    let disk = TestDisk::with(before.closed.clone());
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
    let all_right = &expected().at(before.number).answers;
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

/// Pages that nobody looked at when the file was opened ([`Check::IfUnclean`]) may be damaged by the
/// time that they are read. A damaged row is still never shown: what is shown of it is right, or
/// nothing, or an error.
#[test]
fn a_damaged_row_that_nobody_looked_for_is_never_shown() {
    let cases = Cases::new();
    let used = used_pages(&before_each_line()[LINES].closed.to_vec());
    let mut random = Random(3);
    for _ in 0..if cases.every() { 20_000 } else { 500 } {
        let page = used[1 + random.below(used.len() - 1)];
        let bit = page * PAGE * 8 + random.below(PAGE * 8);
        let became = cases.run(&format!("bit {bit}"), move || read_unchecked(bit));
        for became in became.into_iter().flatten() {
            cases.count(became, 1);
        }
    }
    cases.finish(&[
        (CASES, 500),
        (RIGHT_ANSWERS, 10_000),
        (FOUND_BY_READING, 50),
    ]);
}

fn read_unchecked(bit: usize) -> Vec<&'static str> {
    let before = &before_each_line()[LINES];
    let disk = TestDisk::with(before.closed.clone());
    let mut options = script_options(false);
    options.check = Check::IfUnclean;
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    let now = store.snapshot().unwrap();
    disk.damage(|bytes| *bytes = flip(bytes, bit));
    let right = &expected().at(before.number).answers;
    let answers = ask(&now);
    // Closing writes, and a write that meets damage can end the process, as the option says.
    disk.damage(|bytes| *bytes = flip(bytes, bit));
    let became = answers.iter().zip(right).enumerate();
    became
        .map(|(question, (answer, right))| match answer {
            Ok(seen) if seen == right => RIGHT_ANSWERS,
            Ok(seen) if is_part_of(seen, right) => "answers with less",
            Ok(_) => panic!("question {question}: a wrong answer"),
            Err(Error::Storage(StorageError::Corrupt(_))) => FOUND_BY_READING,
            Err(Error::Storage(StorageError::Panicked | StorageError::Stopped)) => "stopped",
            Err(other) => panic!("question {question}: {other:?}"),
        })
        .collect()
}

/// Whether all that is seen is right, though something may be missing.
fn is_part_of(seen: &Seen, right: &Seen) -> bool {
    match (seen, right) {
        (Seen::Nothing | Seen::UnknownApp, _) => true,
        (Seen::Apps(seen), Seen::Apps(right)) => seen.iter().all(|it| right.contains(it)),
        (Seen::Subscribers(seen), Seen::Subscribers(right)) => {
            seen.iter().all(|it| right.contains(it))
        }
        (Seen::Messages(seen), Seen::Messages(right)) => seen.iter().all(|it| right.contains(it)),
        _ => false,
    }
}

#[test]
fn a_page_that_is_gone_from_the_end_of_an_open_file_is_corrupt() {
    let before = &before_each_line()[LINES];
    let disk = TestDisk::with(before.closed.clone());
    let mut options = script_options(false);
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    // Or else the writer may come to the damage first, while it fills the indexes.
    wait_until(|| store.stats().unwrap().index_is_complete);
    let now = store.snapshot().unwrap();
    disk.damage(|bytes| bytes.truncate(PAGE));
    let errors = ask(&now).into_iter().filter_map(Result::err);
    let ends_early = |error: &Error| {
        matches!(
            error,
            Error::Storage(StorageError::Corrupt("the file ends early"))
        )
    };
    assert!(errors.into_iter().any(|error| ends_early(&error)));
    assert!(matches!(
        store.reopen(),
        Err(Error::Open(OpenError::Damaged(_)))
    ));
}

/// The index of the emails says which card may have one; the card says whether it does. Here the
/// store is opened as if its hashes had two bits, after it was written as if they had one.
#[test]
fn an_index_that_leads_elsewhere_shows_no_card_with_another_value_and_verify_says_what_is_wrong() {
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
        .map(|n| {
            add(
                &store,
                TokenEntry::new(format!("t{n}")).identifiers(email(n)),
            )
            .contact
        })
        .collect();
    store.close().unwrap();

    let store = open(3);
    let (mut right, mut missing) = (0_u64, 0_u64);
    for (n, id) in (0..64).zip(ids) {
        match find(&store, email(n)) {
            Ok(Some(found)) if found.card.id == id => right += 1,
            Ok(None) => missing += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(right + missing, 64);
    assert!(
        right > 10 && missing > 10,
        "{right} right, {missing} missing"
    );
    let verified = store.snapshot().unwrap().verify().unwrap();
    let count = |table, what| {
        let is = |problem: &&Problem| (problem.table, problem.what) == (table, what);
        verified.problems.iter().filter(is).count() as u64
    };
    let emails = count("contacts", "an identifier is missing in its index");
    let tokens = count("subscribers", "the token is missing in its index");
    let not_found = count("contacts", "a look-up does not find the row");
    let not_found_tokens = count("subscribers", "a look-up does not find the row");
    assert_eq!([emails, not_found], [missing; 2]);
    assert_eq!(tokens, not_found_tokens);
    let lead_astray = count("index", "an entry leads to a row without such a value");
    assert_eq!(lead_astray, emails + tokens);
    assert_eq!(verified.problem_count, 2 * (emails + tokens) + lead_astray);
}
