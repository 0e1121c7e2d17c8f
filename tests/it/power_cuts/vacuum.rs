//! Power cuts in a vacuum, at every step of it (R46, R67): the old file is as good as ever until the new
//! one has its name for good, and the new one is complete before it has the name at all.

use std::ops::ControlFlow;
use std::sync::Arc;

use contact_store::{ContactStore, Options};

use super::disk::RecordingDisk;
use super::image::{Keep, Trace};
use super::promises::Promises;
use super::recovery::{Also, Counts, IMAGES, Images, Truth, named};
use super::tales;
use crate::model::{Choices, Model, Request, Settings};
use crate::support::blocks::Blocks;
use crate::support::cases::{Cases, long_form};
use crate::support::random::Random;
use crate::support::{clock_at, fold_early};

const OLD: &str = "images of the old file";
const BOTH: &str = "images of either, the name not durable yet";
const NEW: &str = "images of the new file";

/// A store on a disk, and what is right at each number.
struct Played<'b> {
    store: ContactStore,
    models: Vec<Model>,
    choices: Choices<'b>,
}

impl Played<'_> {
    fn number(&self) -> u64 {
        self.models.last().unwrap().sequence()
    }

    /// Makes requests, and notes what is promised of the disk that they go to.
    fn ask(&mut self, times: u64, disk: &RecordingDisk, promises: &mut Promises) {
        for _ in 0..times {
            let request = Request::choose(&mut self.choices);
            let mut model = self.models.last().unwrap().clone();
            let right = model.apply(&request, 1_000);
            let number = model.sequence();
            promises.begin(disk.count(), number);
            assert_eq!(request.submit(&self.store).wait(), right);
            promises.acknowledge(disk.count(), number);
            if number > self.number() {
                self.models.push(model);
            }
        }
    }
}

fn cut_a_vacuum(cases: &Cases, seed: u64) {
    let mut random = Random(seed);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.number().to_le_bytes())
        .flatten()
        .take(20_000)
        .collect();
    let mut options = Options::default();
    options.testing.random = Some([1, 2]);
    options.clock = clock_at(1_000);
    options.cache_bytes = if seed.is_multiple_of(2) { 0 } else { 1 << 20 };
    fold_early(&mut options);
    let old = RecordingDisk::with(Blocks::default());
    let store = ContactStore::open_on_disk(old.clone(), options.clone()).unwrap();
    let mut played = Played {
        store: store.clone(),
        models: vec![Model::new(Settings::of(&options))],
        choices: Choices::new(&bytes),
    };
    let mut of_old = Promises::default();
    of_old.find(old.count(), 0);
    played.ask(30, &old, &mut of_old);
    let begun = old.count();
    store
        .vacuum(|_| {
            played.ask(2, &old, &mut of_old);
            ControlFlow::Continue(())
        })
        .unwrap();
    let new = old.made_beside();
    let [placed, durable] = new.placed()[..] else {
        panic!("{:?}", new.placed());
    };
    let mut of_new = Promises::of(played.number()..=played.number());
    played.ask(4, &new, &mut of_new);
    assert_eq!(old.count(), durable.old, "the old file was written to");
    store.close().unwrap();

    let truth = Truth::new(played.models, tales::probes(), options);
    let images = Arc::new(Images::of(truth));
    let traces = [
        (&old, of_old, begun, placed.old, [OLD, BOTH]),
        (&new, of_new, placed.new, durable.new + 1, [BOTH, NEW]),
    ];
    for (disk, promises, from, later, kinds) in traces {
        let trace = Trace {
            before: Blocks::default(),
            events: disk.events().into(),
            promises,
        };
        for cut in trace.cuts().skip(from) {
            let allowed = trace.promises.at(cut.count).unwrap();
            let kind = kinds[usize::from(cut.count >= later)];
            let images = Arc::clone(&images);
            let name = format!("vacuum {seed}, {kind}, cut after event {}", cut.count);
            let checked = cases.run(&name, move || {
                let mut counts = Counts::new();
                for (turn, keep) in Keep::all(cut.count as u64, 1).enumerate() {
                    let also = Also {
                        reopen: (cut.count + turn).is_multiple_of(8),
                        cut_again: u32::from((cut.count + turn).is_multiple_of(64)),
                    };
                    let image = cut.image(keep);
                    named(&format!("{keep:?}"), || {
                        images.check(&image, allowed.clone(), also, &mut counts)
                    });
                    *counts.entry(kind).or_default() += 1;
                    if cut.is_synced() {
                        break;
                    }
                }
                counts
            });
            for (what, times) in checked.unwrap_or_default() {
                cases.count(what, times);
            }
        }
    }
}

#[test]
fn r46_r67_a_power_cut_at_any_step_of_a_vacuum_takes_nothing_that_was_acknowledged() {
    let cases = Cases::new();
    for seed in 0..if long_form() { 60 } else { 4 } {
        cut_a_vacuum(&cases, seed);
    }
    cases.finish(&[(IMAGES, 500), (OLD, 500), (BOTH, 4), (NEW, 100)]);
}
