//! The file after a power cut: what was synced, and of the rest what a disk may have kept.
//!
//! What is assumed of a disk. A write that was not synced may be there or not, whichever came first;
//! also in part, down to single sectors, and the last one down to single bytes. Changes of the
//! length come to be in their order, and before them nothing is written beyond the end that there
//! was: the length is the file system's, which keeps a journal. A sector that was being changed may
//! hold garbage; but not the first one of the file, which holds the header: redb relies on that a
//! write that is cut off leaves each byte of it old or new. Nor one that was written again as it was.

use std::sync::Arc;

use super::disk::Event;
use super::promises::Promises;
use crate::support::blocks::Blocks;
use crate::support::random::Random;

const SECTOR: usize = 512;
const HEADER_PAGE: usize = 4_096;

/// What a disk was told, what it held before, and what was promised meanwhile.
pub struct Trace {
    pub before: Blocks,
    pub events: Arc<[Event]>,
    pub promises: Promises,
}

/// What of the writes that were not synced is there after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Everything,
    OnlyTheHeader,
    AllButTheHeader,
    /// This seed says which writes are there.
    Some(u64),
    /// This seed says which sectors are there.
    Sectors(u64),
    /// The last write up to one of its bytes, all before it.
    Torn(u64),
    /// Each sector, or garbage in its place, or neither.
    Garbage(u64),
}

impl Keep {
    /// Every kind, and those that are left to chance `often`.
    pub fn all(seed: u64, often: u64) -> impl Iterator<Item = Keep> {
        let fixed = [
            Keep::Nothing,
            Keep::Everything,
            Keep::OnlyTheHeader,
            Keep::AllButTheHeader,
        ];
        let seeds = (0..often).map(move |n| seed.wrapping_mul(16).wrapping_add(n));
        let by_chance = [Keep::Some, Keep::Sectors, Keep::Torn, Keep::Garbage];
        let by_chance = seeds.flat_map(move |seed| by_chance.map(|kind| kind(seed)));
        fixed.into_iter().chain(by_chance)
    }
}

/// A cut after the first `count` events.
pub struct Cut {
    pub count: usize,
    synced: Blocks,
    /// How many events are in `synced`.
    synced_events: usize,
    events: Arc<[Event]>,
}

impl Trace {
    /// A cut after each of the events, and one before them.
    pub fn cuts(&self) -> impl Iterator<Item = Cut> {
        let mut synced = self.before.clone();
        let mut synced_events = 0;
        (0..=self.events.len()).map(move |count| {
            if let Some(Event::Sync) = count.checked_sub(1).map(|last| &self.events[last]) {
                let newly = &self.events[synced_events..count];
                newly.iter().for_each(|event| event.apply(&mut synced));
                synced_events = count;
            }
            Cut {
                count,
                synced: synced.clone(),
                synced_events,
                events: Arc::clone(&self.events),
            }
        })
    }
}

impl Cut {
    /// What was not synced.
    fn rest(&self) -> &[Event] {
        &self.events[self.synced_events..self.count]
    }

    /// Whether all is synced: then there is but one image.
    pub fn is_synced(&self) -> bool {
        self.rest().is_empty()
    }

    pub fn image(&self, keep: Keep) -> Blocks {
        let mut image = self.synced.clone();
        let all = self.rest().iter();
        match keep {
            Keep::Nothing => {}
            Keep::Everything => all.for_each(|event| event.apply(&mut image)),
            Keep::OnlyTheHeader => all
                .filter(|event| is_of_header(event))
                .for_each(|event| event.apply(&mut image)),
            Keep::AllButTheHeader => all
                .filter(|event| !is_of_header(event))
                .for_each(|event| event.apply(&mut image)),
            Keep::Some(seed) => self.by_chance(seed, &mut image, |random, image, at, bytes| {
                if random.coin() {
                    image.write_within(at, bytes);
                }
            }),
            Keep::Sectors(seed) => self.by_chance(seed, &mut image, |random, image, at, bytes| {
                for (at, sector) in sectors(at, bytes) {
                    if random.coin() {
                        image.write_within(at, sector);
                    }
                }
            }),
            Keep::Torn(seed) => {
                let (last, before) = self.rest().split_last().unzip();
                let before = before.unwrap_or_default();
                before.iter().for_each(|event| event.apply(&mut image));
                if let Some(Event::Write(at, bytes)) = last {
                    let part = Random(seed).below(bytes.len());
                    image.write_within(*at, &bytes[..part]);
                }
            }
            Keep::Garbage(seed) => self.by_chance(seed, &mut image, garbage),
        }
        image
    }

    /// Goes through the writes with random numbers. So many changes of the length took place as
    /// chance will have it.
    fn by_chance(
        &self,
        seed: u64,
        image: &mut Blocks,
        write: impl Fn(&mut Random, &mut Blocks, usize, &[u8]),
    ) {
        let mut random = Random(seed);
        let changes = self.rest().iter();
        let changes = changes.filter(|event| matches!(event, Event::SetLen(_)));
        let mut left = random.below(changes.count() + 1);
        for event in self.rest() {
            match event {
                Event::Write(at, bytes) => write(&mut random, image, *at, bytes),
                Event::SetLen(len) if left > 0 => {
                    left -= 1;
                    image.set_len(*len);
                }
                Event::SetLen(_) | Event::Sync => {}
            }
        }
    }
}

fn garbage(random: &mut Random, image: &mut Blocks, at: usize, bytes: &[u8]) {
    for (at, sector) in sectors(at, bytes) {
        let mut before = vec![0; sector.len()];
        let is_there = image.read(at, &mut before).is_ok();
        if !is_there || before == sector {
            continue;
        }
        match random.below(3) {
            0 => image.write_within(at, sector),
            1 if at >= SECTOR => {
                let words = std::iter::repeat_with(|| random.number().to_le_bytes());
                let garbage: Vec<u8> = words.flatten().take(sector.len()).collect();
                image.write_within(at, &garbage);
            }
            _ => {}
        }
    }
}

fn is_of_header(event: &Event) -> bool {
    matches!(event, Event::Write(at, _) if *at < HEADER_PAGE)
}

/// The parts of sectors that these bytes are.
fn sectors(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let rest = &bytes[done..];
        if rest.is_empty() {
            return None;
        }
        let start = at + done;
        let count = (SECTOR - start % SECTOR).min(rest.len());
        done += count;
        Some((start, &rest[..count]))
    })
}
