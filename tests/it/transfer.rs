//! Export and import of whole stores and of contacts (R70).

mod bad_rows;
mod csv;
mod ends;
mod interrupted;
mod merges;
mod round_trip;
mod sample;

use std::io::Read;
use std::ops::ControlFlow;

use contact_store::transfer::{
    ExportOptions, Exported, ImportOptions, ImportProgress, Imported, Rejected, RestartPoint,
    TransferError, export_ndjson, import_ndjson,
};
use contact_store::{ContactStore, Options, Snapshot};

use crate::support::everything::Everything;
use crate::support::{assert_sound, options};

/// With the access keys.
fn export(now: &Snapshot) -> (Vec<u8>, Exported) {
    let mut text = Vec::new();
    let options = ExportOptions::default().access_keys(true);
    let exported = export_ndjson(now, &mut text, options, |_| ControlFlow::Continue(())).unwrap();
    (text, exported)
}

fn text_of(store: &ContactStore) -> String {
    String::from_utf8(export(&store.snapshot().unwrap()).0).unwrap()
}

/// An empty store with the options of `sample`.
fn empty() -> ContactStore {
    empty_with(options().0)
}

fn empty_with(options: Options) -> ContactStore {
    ContactStore::open_in_memory(options).unwrap()
}

/// An import, with what it told.
struct Told {
    outcome: Result<Imported, TransferError>,
    /// The line, the reason, the text of the error and the row of each.
    rejected: Vec<(u64, &'static str, String, Vec<u8>)>,
    points: Vec<RestartPoint>,
}

impl Told {
    fn reasons(&self) -> Vec<(u64, &'static str)> {
        let rejected = self.rejected.iter();
        rejected
            .map(|(line, reason, ..)| (*line, *reason))
            .collect()
    }

    #[track_caller]
    fn complete(self) -> Imported {
        self.outcome.unwrap()
    }
}

/// Imports until so many progresses were told, after which the store is sound.
fn import_until(
    store: &ContactStore,
    source: impl Read,
    options: ImportOptions,
    most_progresses: usize,
) -> Told {
    let (mut rejected, mut points) = (Vec::new(), Vec::new());
    let outcome = import_ndjson(
        store,
        source,
        options,
        |row: Rejected<'_>| {
            assert_eq!(row.error.reason(), row.reason);
            rejected.push((
                row.line,
                row.reason,
                row.error.to_string(),
                row.row.to_vec(),
            ));
            ControlFlow::Continue(())
        },
        |progress: ImportProgress| {
            assert_eq!(*progress.restart.imported(), progress.imported);
            assert_eq!(progress.restart.bytes(), progress.bytes);
            // As a host keeps it.
            let text = progress.restart.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&progress.restart));
            points.push(progress.restart);
            if points.len() >= most_progresses {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    assert_sound(store);
    Told {
        outcome,
        rejected,
        points,
    }
}

fn import(store: &ContactStore, text: &[u8]) -> Told {
    import_until(store, text, ImportOptions::new(), usize::MAX)
}

/// Both show the same, but for the numbers of their states.
#[track_caller]
fn assert_same(one: &ContactStore, other: &ContactStore) {
    let mut shown = [one, other].map(|store| Everything::of(&store.snapshot().unwrap()));
    shown[1].sequence = shown[0].sequence;
    let [one, other] = shown;
    assert_eq!(one.cards, other.cards);
    assert!(one == other, "apps, subscribers or messages differ");
}
