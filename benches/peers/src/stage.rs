//! One size of store, and the sides that are measured on it together.

use std::path::{Path, PathBuf};

use crate::arguments::slug;
use crate::disk;
use crate::people::Person;
use crate::plan::Plan;
use crate::sides::{BATCH, Kind, Opening, Side};

/// What the figures of another build's contact-store stand under.
pub const BASELINE: &str = "contact-store (baseline)";

/// The closed stores of one size.
pub struct Stage<'a> {
    pub size: u64,
    pub plan: Plan,
    pub kinds: Vec<&'a Kind>,
    pub directory: PathBuf,
    /// Another build of this program.
    pub baseline: Option<&'a Path>,
}

impl<'a> Stage<'a> {
    /// The sides that are on the disk.
    pub fn durable(&self) -> impl Iterator<Item = &'a Kind> {
        self.kinds.iter().copied().filter(|kind| kind.durable)
    }

    /// The sides that fill files of their own.
    pub fn filling(&self) -> impl Iterator<Item = &'a Kind> {
        self.durable().filter(|kind| !kind.is_variant())
    }

    /// Where the loaded store of a side stands. Nothing changes it.
    pub fn loaded(&self, side: &str) -> PathBuf {
        self.directory.join("loaded").join(slug(side))
    }

    /// A fresh copy of the loaded store of a side, to be changed.
    pub fn copy(&self, side: &str) -> PathBuf {
        let copy = self.directory.join("copy").join(slug(side));
        disk::copy(&self.loaded(side), &copy);
        copy
    }

    pub fn remove_copies(&self) {
        disk::remove(&self.directory.join("copy"));
    }

    /// Opens a fresh copy of each side that is on the disk, to be changed.
    pub fn open_copies(&self) -> Session {
        let open = |kind: &Kind| {
            (
                kind.name,
                (kind.open)(&self.copy(kind.name), Opening::Default),
            )
        };
        self.session(self.durable().map(open).collect())
    }

    /// Opens the loaded store of each side, which is only read, and fills those in memory.
    pub fn open_loaded(&self) -> Session {
        let open = |kind: &&Kind| {
            let side = (kind.open)(&self.loaded(kind.name), Opening::Default);
            if !kind.durable {
                side.load(requests(0..self.size));
            }
            (kind.name, side)
        };
        self.session(self.kinds.iter().map(open).collect())
    }

    fn session(&self, sides: Vec<(&'static str, Box<dyn Side>)>) -> Session {
        Session {
            size: self.size,
            plan: self.plan,
            next: self.size,
            sides,
            directory: self.directory.clone(),
        }
    }
}

/// The sides of a stage, open at once.
pub struct Session {
    pub size: u64,
    pub plan: Plan,
    /// The first person whom no side knows.
    pub next: u64,
    pub sides: Vec<(&'static str, Box<dyn Side>)>,
    pub directory: PathBuf,
}

impl Session {
    /// Takes the next people whom no side knows.
    pub fn strangers(&mut self, count: u64) -> std::ops::Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// The places of the sides in the order of their turns: another one is first in each round.
    pub fn turns(&self, round: u64) -> Vec<usize> {
        let sides = self.sides.len();
        (0..sides)
            .map(|turn| (turn + round as usize) % sides)
            .collect()
    }

    pub fn close(self) {
        for (_, side) in self.sides {
            side.close();
        }
    }
}

/// The requests that add these people.
pub fn requests(people: std::ops::Range<u64>) -> Vec<Vec<crate::people::Entry>> {
    people
        .clone()
        .step_by(BATCH as usize)
        .map(|first| {
            let request = first..people.end.min(first + BATCH);
            request.map(|number| Person(number).entry()).collect()
        })
        .collect()
}
