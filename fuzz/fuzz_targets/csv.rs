//! CSV: whatever a source holds, an import ends in an outcome or a typed error, counts every row once,
//! and leaves a sound store. What it left is exported, and imported again as it was.
#![no_main]

use std::ops::ControlFlow;

use contact_store::transfer::{CsvOptions, EmptyCell, Imported, export_csv, import_csv};
use contact_store::{Card, ContactStore, Options};
use libfuzzer_sys::fuzz_target;

fn store() -> ContactStore {
    let mut options = Options::default();
    options.cache_bytes = 1 << 20;
    ContactStore::open_in_memory(options).unwrap()
}

fn import(store: &ContactStore, source: &[u8], options: CsvOptions) -> Option<Imported> {
    let mut rejected = 0;
    let done = import_csv(
        store,
        source,
        options.batch_rows(3),
        |_| {
            rejected += 1;
            ControlFlow::Continue(())
        },
        |progress| {
            let text = progress.restart.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&progress.restart));
            ControlFlow::Continue(())
        },
    );
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(verified.problems, []);
    let done = done.ok()?.imported;
    let refused = done.refused_rows();
    assert_eq!(refused, rejected);
    assert_eq!(
        done.rows,
        done.created + done.updated + done.unchanged + refused
    );
    Some(done)
}

/// What CSV holds of the contacts.
fn held(store: &ContactStore) -> Vec<(impl PartialEq + use<>, impl PartialEq + use<>)> {
    let of = |card: Result<Card, _>| {
        let card: Card = card.unwrap();
        (card.identifiers, card.fields)
    };
    store.snapshot().unwrap().iter_contacts().map(of).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, source)) = bytes.split_first() else {
        return;
    };
    let mut options = CsvOptions::default();
    if first & 1 > 0 {
        options = options.empty_cells(EmptyCell::Erase);
    }
    if first & 2 > 0 {
        options = options.calling_code("380").unwrap();
    }
    if first & 4 > 0 {
        options = options.encoding("shift_jis").unwrap();
    }
    // Most sources have no header that is known.
    let headed;
    let source = match first & 8 > 0 {
        true => source,
        false => {
            let header = b"contactId,phone,email,externalCustomerId,firstName,customFields\n";
            headed = [header, source].concat();
            &headed
        }
    };
    let first = store();
    import(&first, source, options);
    let mut text = Vec::new();
    export_csv(&first.snapshot().unwrap(), &mut text, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let second = store();
    let again = import(&second, &text, CsvOptions::default()).unwrap();
    assert_eq!((again.refused_rows(), again.created), (0, again.rows));
    assert!(held(&first) == held(&second));
});
