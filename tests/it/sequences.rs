//! Sequences of requests, in the store and in the model: all short ones over a small alphabet, then
//! long random ones.

pub mod alphabet;
mod changes;
pub mod memory_disk;
mod once;
mod random;
mod short;
mod stale;

use std::sync::Arc;

use contact_store::{Check, ContactStore, ManualClock, Options};

use crate::model::{Answer, Model, Probes, Request, Settings, Waiting};
use crate::support::place::{self, Held, Schema};
use crate::support::{at, clock_at};

use self::memory_disk::MemoryDisk;

/// Where a store is.
pub enum Place {
    Disk(Arc<MemoryDisk>),
    Schema(Schema),
}

impl Place {
    /// A place where no store was.
    pub fn new() -> Self {
        match place::schema() {
            Some(schema) => Place::Schema(schema),
            None => Place::Disk(Arc::default()),
        }
    }

    /// Another place, with what was left here.
    pub fn copy(&self) -> Self {
        match self {
            Place::Disk(disk) => Place::Disk(Arc::new(disk.copy())),
            Place::Schema(schema) => Place::Schema(schema.copy()),
        }
    }

    #[track_caller]
    pub fn open(&self, options: &Options) -> ContactStore {
        let opened = match self {
            Place::Disk(disk) => ContactStore::open_on_disk(disk.clone(), options.clone()),
            Place::Schema(schema) => schema.open(options),
        };
        opened.unwrap()
    }

    /// Opens the store for this many threads: as one host, or as many where several can have it open.
    #[track_caller]
    pub fn open_for(&self, threads: usize, options: &Options) -> Vec<ContactStore> {
        match self {
            Place::Disk(_) => vec![self.open(options); threads],
            Place::Schema(schema) => schema.open_for(threads, options),
        }
    }

    /// Holds up all that write here.
    fn shut(&self) -> Gate {
        match self {
            Place::Disk(disk) => Gate::OfDisk(disk.shut()),
            Place::Schema(schema) => Gate::OfSchema(schema.hold()),
        }
    }
}

/// Holds up the writer while it is held.
enum Gate {
    OfDisk(memory_disk::Gate),
    OfSchema(Held),
}

impl Gate {
    /// Waits until the writer is held up.
    fn wait(&self) {
        match self {
            Gate::OfDisk(gate) => gate.wait(),
            Gate::OfSchema(held) => held.wait(),
        }
    }
}

/// A store, and the model of it.
struct Pair {
    place: Place,
    clock: Arc<ManualClock>,
    options: Options,
    store: ContactStore,
    model: Model,
}

impl Pair {
    /// An empty store, and its model.
    fn new(mut options: Options) -> Self {
        // What is verified at opening has its own tests; here it would only take time.
        options.check = Check::IfUnclean;
        let model = Model::new(Settings::of(&options));
        Pair::open(Place::new(), &options, model)
    }

    /// The store at `place`, of which `model` is the model.
    fn open(place: Place, options: &Options, model: Model) -> Self {
        let clock = clock_at(0);
        let mut options = options.clone();
        options.clock = clock.clone();
        Pair {
            store: place.open(&options),
            place,
            clock,
            options,
            model,
        }
    }

    /// Both answer alike.
    fn ask(&mut self, request: &Request, clock: u64) -> Result<(), String> {
        if let Some(shown) = request.preview(&self.store.snapshot().unwrap()) {
            let done = self.model.clone().apply(request, clock);
            let done = done.map(|(_, outcome)| outcome);
            if shown != done {
                return Err(format!(
                    "{request:?}\n  shown: {shown:?}\n  model: {done:?}"
                ));
            }
        }
        let waiting = self.submit(&[request], clock);
        self.agree(&[request], waiting, clock)
    }

    /// Makes requests of the store without waiting for any.
    fn submit(&self, requests: &[&Request], clock: u64) -> Vec<Waiting> {
        self.clock.set(at(clock));
        let submit = |request: &&Request| request.submit(&self.store);
        requests.iter().map(submit).collect()
    }

    /// The model answers to these requests like the store.
    fn agree(
        &mut self,
        requests: &[&Request],
        waiting: Vec<Waiting>,
        clock: u64,
    ) -> Result<(), String> {
        // Waits for all, also when one is answered wrongly.
        let answers: Vec<Answer> = waiting.into_iter().map(Waiting::wait).collect();
        for (request, store) in requests.iter().zip(answers) {
            let model = self.model.apply(request, clock);
            if store != model {
                return Err(format!(
                    "{request:?}\n  store: {store:?}\n  model: {model:?}"
                ));
            }
        }
        Ok(())
    }

    /// Closes the store. Gives where it is.
    fn close(self) -> Place {
        self.store.close().unwrap();
        self.place
    }

    /// Kills the process, before it can write what closing writes. Gives where the store is.
    fn kill(self) -> Place {
        match self.place {
            Place::Disk(disk) => {
                disk.unplug();
                drop(self.store);
                Place::Disk(Arc::new(disk.copy()))
            }
            // All that its host could do is to break off its connections.
            Place::Schema(schema) => {
                drop(self.store);
                Place::Schema(schema)
            }
        }
    }

    /// Both show the same, and nothing in the store contradicts anything else in it.
    fn compare(&self, probes: &Probes) -> Result<(), String> {
        let now = self.store.snapshot().unwrap();
        self.model.compare(&now, probes)?;
        let problems = now.verify().unwrap().problems;
        if problems.is_empty() {
            return Ok(());
        }
        Err(format!("verify: {problems:?}"))
    }
}
