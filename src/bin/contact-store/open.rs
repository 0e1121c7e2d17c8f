//! Opening a store, with a bar where that takes long.

use std::sync::Arc;

use contact_store::{ContactStore, Create, Error, OpeningStage, Options};

use crate::failure::Failure;
use crate::place::Place;
use crate::progress::Progress;
use crate::stop::Stop;

/// Opens a store for reading only.
pub(crate) fn open(place: &Place) -> Result<ContactStore, Failure> {
    with_bars(place, Options::default().read_only(true), None)
        .map_err(|error| Failure::opening(place, error))
}

/// The same, for a command that is told to stop by a [`Stop`].
pub(crate) fn open_unless_stopped(place: &Place, stop: &Stop) -> Result<ContactStore, Failure> {
    let opened = with_bars(
        place,
        Options::default().read_only(true),
        Some(stop.clone()),
    );
    stop.check()?;
    opened.map_err(|error| Failure::opening(place, error))
}

/// Opens a store for an upgrade.
pub(crate) fn open_to_upgrade(place: &Place) -> Result<ContactStore, Failure> {
    let options = Options::default().create(Create::Never).upgrade(true);
    with_bars(place, options, None).map_err(|error| Failure::opening(place, error))
}

/// Opens a store for a command that writes to it, and that may be told to stop by a [`Stop`].
pub(crate) fn open_to_write(
    place: &Place,
    create: Create,
    stop: Option<&Stop>,
) -> Result<ContactStore, Failure> {
    let opened = with_bars(place, Options::default().create(create), stop.cloned());
    stop.map_or(Ok(()), Stop::check)?;
    opened.map_err(|error| Failure::opening(place, error))
}

fn with_bars(place: &Place, options: Options, stop: Option<Stop>) -> Result<ContactStore, Error> {
    let verifying = Arc::new(Progress::in_bytes("verifying pages"));
    let upgrading = Arc::new(Progress::in_rows("upgrading"));
    let bars = [Arc::clone(&verifying), Arc::clone(&upgrading)];
    let options = options.on_opening(move |opening| {
        // Opening cannot be broken off, and has written nothing that would be left.
        if let Some(Err(stopped)) = stop.as_ref().map(Stop::check) {
            verifying.end();
            stopped.say();
            std::process::exit(stopped.status().into());
        }
        match opening.stage {
            OpeningStage::Upgrading => {
                verifying.end();
                upgrading.at(opening.done, opening.of);
            }
            _ => verifying.at(opening.done, opening.of),
        }
    });
    let opened = match place {
        Place::File(path) => ContactStore::open(path, options),
        #[cfg(feature = "postgres")]
        Place::Database(postgres) => ContactStore::connect(postgres, options),
    };
    // The store keeps the function, and with it the bars.
    for bar in bars {
        bar.end();
    }
    opened
}
