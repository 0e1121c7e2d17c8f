//! How many writes of a commit reach the disk: each that stands apart from the others costs the device
//! its own time at a sync.

use contact_store::{AddTokens, ContactStore, Options, TokenEntry};

use super::disk::{Event, RecordingDisk};
use crate::support::blocks::Blocks;
use crate::support::{APP, connect};

const HEADER_PAGE: usize = 4_096;
const CONTACTS: u64 = 2_000;
const ADDS: usize = 300;

/// The header, and a page of each of: the leaf and the root of the contacts, the same of the
/// subscribers, the counters, the pages that became free, and the roots of our tables and of redb's.
const USUAL: usize = 9;
/// In addition, a row of the log of the indexes, and for a leaf that is full another one.
const MOST: usize = USUAL + 3;

fn entry(n: u64) -> TokenEntry {
    TokenEntry::new(format!("{}", 400_000_000 + n))
        .email(format!("person{n}@example.com"))
        .phone(format!("38050{n:07}"))
        .external_customer_id(format!("crm-{n}"))
}

/// The writes of each part of a commit, which a sync ends. After the last of them the header tells other
/// processes that the commit is durable, which the next commit syncs.
fn parts(events: &[Event]) -> Vec<Vec<usize>> {
    let mut parts = Vec::new();
    let mut writes = Vec::new();
    for event in events {
        match event {
            Event::Write(at, _) => writes.push(*at),
            Event::SetLen(_) => {}
            Event::Sync => parts.push(std::mem::take(&mut writes)),
        }
    }
    assert_eq!(writes, [0], "only that the commit is durable is not synced");
    parts
}

#[test]
fn a_durable_add_reaches_the_disk_in_nine_writes_and_two_of_the_header() {
    let disk = RecordingDisk::with(Blocks::default());
    let store = ContactStore::open_on_disk(disk.clone(), Options::default()).unwrap();
    connect(&store);
    let entries = (0..CONTACTS).map(entry);
    let adds = AddTokens::new(APP).entries(entries);
    store.add_tokens(adds).wait().unwrap();
    let mut usual = 0;
    for n in (CONTACTS..).take(ADDS) {
        let from = disk.count();
        let add = AddTokens::new(APP).entry(entry(n));
        store.add_tokens(add).wait().unwrap();
        let events = disk.since(from);
        let grows = events.iter().any(|event| matches!(event, Event::SetLen(_)));
        let parts = parts(&events);
        let [.., pages, counts] = &*parts else {
            panic!("{} syncs", parts.len());
        };
        assert!(parts.len() == 2 || grows, "{} syncs", parts.len());
        assert!(matches!(**counts, [at] if at < HEADER_PAGE));
        assert!(pages.len() <= MOST, "{} writes", pages.len());
        usual += usize::from(pages.len() <= USUAL);
    }
    assert!(usual >= ADDS * 9 / 10, "{usual} of {ADDS} as usual");
    store.close().unwrap();
}
