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
use crate::support::{at, clock_at};

use self::memory_disk::MemoryDisk;

/// A store on a disk that can be copied, and the model of it.
struct Pair {
    disk: Arc<MemoryDisk>,
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
        Pair::open(MemoryDisk::default(), &options, model)
    }

    /// The store on `disk`, of which `model` is the model.
    fn open(disk: MemoryDisk, options: &Options, model: Model) -> Self {
        let (disk, clock) = (Arc::new(disk), clock_at(0));
        let mut options = options.clone();
        options.clock = clock.clone();
        Pair {
            store: ContactStore::open_on_disk(disk.clone(), options.clone()).unwrap(),
            disk,
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

    /// Kills the process, before it can write what closing writes: what is left of the disk.
    fn kill(self) -> MemoryDisk {
        self.disk.unplug();
        drop(self.store);
        self.disk.copy()
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
