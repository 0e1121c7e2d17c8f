//! What is asked of a file that a power cut left behind: it opens by itself, holds all that was
//! acknowledged and nothing by halves, takes a further write; and if its opening is cut off in turn,
//! the same is true of what that leaves.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use contact_store::{
    Check, ContactStore, Create, DedupeOn, Error, KeepChanges, OpenError, Options,
};

use super::disk::{Event, RecordingDisk};
use super::image::{Cut, Keep, Trace};
use super::promises::Promises;
use super::traffic::Keyed;
use crate::model::{FieldName, Item, Model, Probes, Request, Upserts};
use crate::support::blocks::Blocks;
use crate::support::cases::tell;
use crate::support::clock_at;
use crate::support::follower::Follower;

/// What was met, and how often.
pub type Counts = BTreeMap<&'static str, u64>;

pub const IMAGES: &str = "images";
pub const IN_RECOVERY: &str = "images in recovery";
pub const RECOVERIES: &str = "recoveries cut";
pub const RECOVERIES_TO_THE_NEWER: &str = "recoveries to a commit that did not count yet, cut";
pub const FOUND_BEFORE: &str = "found at the acknowledged number, another begun";
pub const FOUND_BETWEEN: &str = "found between the two";
pub const REPEATED: &str = "repeated under idempotency keys";
pub const FOUND_BEGUN: &str = "found at the begun number";

/// What a store shows at each of its numbers, and what it is asked.
pub struct Truth {
    /// From the first number that may be found.
    models: Vec<Model>,
    probes: Probes,
    options: Options,
    /// What was done under idempotency keys, in the order of numbers.
    keyed: Vec<Keyed>,
}

impl Truth {
    /// When everything is asked after the cut: later than any request of a trace.
    const NOW: u64 = 100_000;

    pub fn new(models: Vec<Model>, probes: Probes, mut options: Options) -> Self {
        options.create = Create::Never;
        options.check = Check::IfUnclean;
        options.clock = clock_at(Truth::NOW);
        // What is read is read from the disk, or from next to nothing.
        options.cache_bytes = 64 << 10;
        Truth {
            models,
            probes,
            options,
            keyed: Vec::new(),
        }
    }

    /// The same of a store in which this was done under idempotency keys.
    pub fn and_keyed(self, keyed: Vec<Keyed>) -> Self {
        Truth { keyed, ..self }
    }

    /// The same of a store that comes to other states.
    fn with(&self, models: Vec<Model>) -> Self {
        let keyed = self.keyed_by(models[0].sequence()).to_vec();
        Truth {
            models,
            probes: self.probes.clone(),
            options: self.options.clone(),
            keyed,
        }
    }

    /// What was done under idempotency keys up to a number.
    fn keyed_by(&self, number: u64) -> &[Keyed] {
        let by_then = self.keyed.partition_point(|keyed| keyed.number <= number);
        &self.keyed[..by_then]
    }

    fn model(&self, number: u64) -> &Model {
        let first = self.models[0].sequence();
        &self.models[usize::try_from(number - first).unwrap()]
    }

    fn open(&self, disk: &Arc<RecordingDisk>) -> Result<ContactStore, Error> {
        ContactStore::open_on_disk(disk.clone(), self.options.clone())
    }

    /// The store shows exactly what this model shows, and nothing in it contradicts anything else.
    fn assert_shows(&self, store: &ContactStore, model: &Model) {
        let now = store.snapshot().unwrap();
        if let Err(difference) = model.compare(&now, &self.probes) {
            panic!("{difference}");
        }
        assert_eq!(now.verify().unwrap().problems, []);
        if self.options.change_feed == Some(KeepChanges::default()) {
            // A reader of the feed alone sees the same, here and there with a stop at each place.
            let limit = if model.sequence().is_multiple_of(8) {
                1
            } else {
                1_000
            };
            let mut follower = Follower::default();
            follower.follow(&now, limit);
            follower.assert_sees(&now);
        }
    }

    /// A request that changes a store at this number, whatever is in it, in a table of each kind.
    fn further_write(number: u64) -> Request {
        let item = Item::default()
            .email(format!("further{number}@example.com").as_str())
            .external(format!("further-{number}").as_str())
            .phone(format!("38050001{number:04}").as_str())
            .field(FieldName::FirstName, "Further");
        Request::Upsert(Upserts::new(DedupeOn::Email, vec![item]))
    }

    /// What was done under idempotency keys is known. Says how much that is.
    fn assert_repeated(&self, store: &ContactStore, number: u64) -> usize {
        let done = self.keyed_by(number);
        done.iter().for_each(|keyed| keyed.assert_repeated(store));
        assert_eq!(store.snapshot().unwrap().sequence().value(), number);
        done.len()
    }

    /// The store takes a further write. Gives the model of what it then shows.
    ///
    /// It is made under the idempotency key of the first request that is not in, if there is one: that
    /// key is not in either, or another request under it would be refused.
    fn write_further(&self, store: &ContactStore, mut model: Model) -> Model {
        let number = model.sequence();
        let request = Truth::further_write(number);
        let right = model.apply(&request, Truth::NOW);
        let lost = self.keyed.get(self.keyed_by(number).len());
        let answer = match lost {
            Some(lost) => request.submit(&lost.under_key(store)),
            None => request.submit(store),
        };
        assert_eq!(answer.wait(), right);
        assert_eq!(store.snapshot().unwrap().sequence().value(), number + 1);
        model
    }
}

/// Images of one trace, each checked once.
pub struct Images {
    truth: Truth,
    /// The sums of images, and between which numbers they were found.
    checked: Mutex<HashSet<(u64, RangeInclusive<u64>)>>,
}

/// What else is done with an image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Also {
    /// It is closed and opened again.
    pub reopen: bool,
    /// Its opening is cut off at every step; so often the opening of what that leaves, too.
    pub cut_again: u32,
}

impl Images {
    pub fn of(truth: Truth) -> Self {
        Images {
            truth,
            checked: Mutex::default(),
        }
    }

    /// Checks an image, unless it was checked already. Says whether it was not.
    pub fn check(
        &self,
        image: &Blocks,
        allowed: RangeInclusive<u64>,
        also: Also,
        counts: &mut Counts,
    ) -> bool {
        let is_new = self
            .checked
            .lock()
            .unwrap()
            .insert((image.sum(), allowed.clone()));
        if !is_new && also.cut_again == 0 {
            return false;
        }
        if is_new {
            count(counts, IMAGES);
        }
        let disk = RecordingDisk::with(image.clone());
        let store = self.truth.open(&disk).unwrap();
        let opened = disk.count();
        let found = store.snapshot().unwrap().sequence().value();
        assert!(
            allowed.contains(&found),
            "found {found}, not one of {allowed:?}"
        );
        let model = self.truth.model(found);
        self.truth.assert_shows(&store, model);
        if self.truth.assert_repeated(&store, found) > 0 {
            count(counts, REPEATED);
        }
        let further = self.truth.write_further(&store, model.clone());
        let events = disk.events();
        if also.reopen {
            store.close().unwrap();
            let store = self.truth.open(&disk).unwrap();
            self.truth.assert_shows(&store, &further);
            count(counts, "further writes found again");
        }
        // Not to write what closing writes.
        disk.unplug();
        drop(store);
        if is_new {
            count_found(&allowed, found, counts);
        }
        if also.cut_again > 0 {
            count(counts, RECOVERIES);
            let mut promises = Promises::of(allowed);
            promises.find(opened, found);
            let opening = Trace {
                before: image.clone(),
                events: events[..opened].into(),
                promises,
            };
            self.cut_opening(&opening, also.cut_again - 1, counts);
            if events[..opened].iter().any(makes_the_newer_commit_count) {
                count(counts, RECOVERIES_TO_THE_NEWER);
                let truth = self.truth.with(vec![model.clone(), further]);
                cut_first_write(Images::of(truth), image.clone(), events, opened, counts);
            }
        }
        is_new
    }

    /// Cuts an opening off at every step.
    fn cut_opening(&self, trace: &Trace, deeper: u32, counts: &mut Counts) {
        for cut in trace.cuts() {
            let allowed = trace.promises.at(cut.count).unwrap();
            for (kind, keep) in Keep::all(cut.count as u64, 1).enumerate() {
                let turn = cut.count + kind;
                let also = Also {
                    reopen: turn.is_multiple_of(16),
                    cut_again: if turn.is_multiple_of(32) { deeper } else { 0 },
                };
                let name = format!("in recovery, after event {}, {keep:?}", cut.count);
                let (image, allowed) = (cut.image(keep), allowed.clone());
                if named(&name, || self.check(&image, allowed, also, counts)) {
                    count(counts, IN_RECOVERY);
                }
                if cut.is_synced() {
                    break;
                }
            }
        }
    }

    /// The file was cut off while it was made: it is refused and stays as it was, or is a new store.
    pub fn check_half_made(&self, cut: &Cut, counts: &mut Counts) {
        for keep in Keep::all(cut.count as u64, 2) {
            let image = cut.image(keep);
            let is_new = self.checked.lock().unwrap().insert((image.sum(), 0..=0));
            if !is_new {
                continue;
            }
            count(counts, IMAGES);
            let disk = RecordingDisk::with(image.clone());
            named(&format!("{keep:?}"), || match self.truth.open(&disk) {
                Ok(store) => {
                    self.truth.assert_shows(&store, self.truth.model(0));
                    count(counts, "creations cut, and whole");
                    disk.unplug();
                }
                Err(Error::Open(
                    OpenError::Empty
                    | OpenError::HalfCreated
                    | OpenError::Foreign
                    | OpenError::Damaged(_),
                )) => {
                    assert_eq!(
                        disk.bytes().sum(),
                        image.sum(),
                        "a refused file was changed"
                    );
                    count(counts, "creations cut, and refused");
                }
                Err(error) => panic!("{error:?}"),
            });
        }
    }
}

/// What the store does to a file whose newer commit is whole and does not count yet.
fn makes_the_newer_commit_count(event: &Event) -> bool {
    matches!(event, Event::Write(9, bytes) if bytes.len() == 1)
}

/// Cuts the first write to a file off that was recovered: it must not rest on anything that the
/// recovery left to be synced.
fn cut_first_write(
    images: Images,
    before: Blocks,
    events: Vec<Event>,
    opened: usize,
    counts: &mut Counts,
) {
    let [found, further] = [0, 1].map(|at: usize| images.truth.models[at].sequence());
    let mut promises = Promises::of(found..=found);
    promises.begin(opened, further);
    promises.acknowledge(events.len(), further);
    let trace = Trace {
        before,
        events: events.into(),
        promises,
    };
    for cut in trace.cuts().skip(opened) {
        let allowed = trace.promises.at(cut.count).unwrap();
        let by_turns: Vec<Keep> = Keep::all(cut.count as u64, 1).collect();
        for keep in [Keep::AllButTheHeader, by_turns[cut.count % by_turns.len()]] {
            let name = format!("first write, after event {}, {keep:?}", cut.count);
            let (image, allowed) = (cut.image(keep), allowed.clone());
            if named(&name, || {
                images.check(&image, allowed, Also::default(), counts)
            }) {
                count(counts, "images in the first write after recovery");
            }
        }
    }
}

fn count_found(allowed: &RangeInclusive<u64>, found: u64, counts: &mut Counts) {
    if allowed.start() == allowed.end() {
        return;
    }
    count(
        counts,
        if found == *allowed.start() {
            FOUND_BEFORE
        } else if found == *allowed.end() {
            FOUND_BEGUN
        } else {
            FOUND_BETWEEN
        },
    );
}

pub fn count(counts: &mut Counts, what: &'static str) {
    *counts.entry(what).or_default() += 1;
}

/// Says what was checked when it fails.
pub fn named<T>(name: &str, check: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        tell(&format!("{name}: failed"));
        resume_unwind(panic)
    })
}
