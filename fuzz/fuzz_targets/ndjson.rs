//! NDJSON: whatever the lines of an export hold, an import ends in an outcome or a typed error, and
//! leaves a sound store. What it left is exported and imported again.
//!
//! The first byte chooses how the rest is used: as the whole source, or as what replaces a part of a
//! sound one.
#![no_main]

use std::ops::ControlFlow;

use contact_store::transfer::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
use contact_store::{ContactStore, Options};
use libfuzzer_sys::fuzz_target;

const SOUND: &str = include_str!("../ndjson.sample");

fn store() -> ContactStore {
    let mut options = Options::default();
    options.cache_bytes = 1 << 20;
    ContactStore::open_in_memory(options).unwrap()
}

fn import(store: &ContactStore, source: &[u8]) -> Option<u64> {
    let imported = import_ndjson(
        store,
        source,
        ImportOptions::new().batch_rows(3),
        |_| ControlFlow::Continue(()),
        |progress| {
            let text = progress.restart.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&progress.restart));
            ControlFlow::Continue(())
        },
    );
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(verified.problems, []);
    imported.ok().map(|imported| imported.refused_rows())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let source = match first % 2 {
        0 => rest.to_vec(),
        _ => {
            let Some((place, rest)) = rest.split_first_chunk::<3>() else {
                return;
            };
            let start = usize::from(u16::from_le_bytes([place[0], place[1]])) % SOUND.len();
            let end = SOUND.len().min(start + usize::from(place[2]));
            [&SOUND.as_bytes()[..start], rest, &SOUND.as_bytes()[end..]].concat()
        }
    };
    let first = store();
    import(&first, &source);
    let mut text = Vec::new();
    let now = first.snapshot().unwrap();
    export_ndjson(&now, &mut text, ExportOptions::default(), |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(import(&store(), &text), Some(0));
});
