//! Shards, as one thread sees them. These tests stand beside the source, which `tests/schedules` takes as it is
//! to atomics that only its scheduler knows.

use std::collections::BTreeSet;

use super::entry::{Entry, Index};
use super::shard::{Inserted, Shard};

fn ids(shard: &Shard, short: u32) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let all = shard.visit(short, |id| {
        found.insert(id);
        Ok::<_, ()>(true)
    });
    assert_eq!(all, Ok(true));
    found
}

fn entry(number: u64) -> Entry {
    // Few different bits, so that entries share them.
    let short = u32::try_from(number.wrapping_mul(7_919) % 64).unwrap_or_default() << 18;
    let id = if number.is_multiple_of(5) {
        number | 1 << 50
    } else {
        number
    };
    Entry { short, id }
}

#[test]
fn a_shard_shows_what_was_inserted_and_nothing_else_also_after_growing() {
    let mut shard = Shard::new(Index::Emails, true, &[], 0);
    let mut expected: BTreeSet<Entry> = BTreeSet::new();
    for number in 1..600 {
        let entry = entry(number);
        if shard.insert(entry) == Inserted::Full {
            shard = shard.grown(|_| true);
            assert_eq!(shard.insert(entry), Inserted::Done);
        }
        expected.insert(entry);
        assert_eq!(shard.insert(entry), Inserted::AlreadyThere);
    }
    assert!(shard.entries().into_iter().eq(expected.iter().copied()));
    for short in (0..64).map(|n| n << 18).chain([1, 77]) {
        let of = expected.iter().filter(|entry| entry.short == short);
        assert_eq!(ids(&shard, short), of.map(|entry| entry.id).collect());
    }
    let kept = shard.grown(|entry| entry.id % 2 == 0);
    expected.retain(|entry| entry.id % 2 == 0);
    assert!(kept.entries().into_iter().eq(expected));
}

#[test]
fn a_visit_ends_at_the_first_no() {
    let entries = [7, 8, 9, 1 << 50].map(|id| Entry { short: 3, id });
    let shard = Shard::new(Index::Phones, false, &entries, 0);
    let mut seen = Vec::new();
    let ended = shard.visit(3, |id| {
        seen.push(id);
        Ok::<_, ()>(seen.len() < 2)
    });
    assert_eq!((ended, seen), (Ok(false), vec![7, 8]));
    assert_eq!(shard.visit(3, |_| Err(())), Err(()));
}
