//! Many threads on one store, in a database of several hosts: what each is answered, in which order, and the outcome of pending
//! writes.

mod history;
mod linear;
mod pending;
mod racing;
mod reopening;

use std::sync::atomic::{AtomicU64, Ordering};

use contact_store::{Check, ContactStore, Options};

use crate::model::{Model, Settings};
use crate::sequences::alphabet::{self, FIRST_AT};
use crate::support::{APP, OTHER_APP, clock_at, fold_early};

/// Passes numbers in the order in which things happen: what ended before something began has a
/// smaller one.
#[derive(Default)]
struct Ticks(AtomicU64);

impl Ticks {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What the clock of a history says.
const CLOCK: u64 = FIRST_AT + 1_000;

fn options() -> Options {
    let mut options = Options::default();
    options.clock = clock_at(CLOCK);
    options.check = Check::IfUnclean;
    options.cache_bytes = 1 << 20;
    // Folding goes on all the time, and some of the indexes are read from their buckets.
    fold_early(&mut options);
    options.index_memory = 3_000;
    options
}

/// Connects both apps under these names, and closes the store. Gives the model of it.
fn connected(store: &ContactStore, first: &str, second: &str) -> Model {
    let mut model = Model::new(Settings::of(&options()));
    for connect in [
        alphabet::connect(APP, first),
        alphabet::connect(OTHER_APP, second),
    ] {
        assert_eq!(connect.submit(store).wait(), model.apply(&connect, CLOCK));
    }
    store.close().unwrap();
    model
}
