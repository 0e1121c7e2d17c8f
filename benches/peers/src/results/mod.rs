//! The results of a run: a table (Markdown), everything (JSON), and plots (SVG).

mod json;
mod plots;
mod ratios;
mod table;

use std::fs;

use crate::arguments::Arguments;
use crate::machine::Machine;
use crate::measure::Figures;
use crate::run::Load;
use crate::sides;
use crate::sides::raw::RAW;
use crate::stage::BASELINE;

pub struct Results {
    pub machine: Machine,
    /// The load of the machine, from the beginning on.
    pub loads: Vec<Load>,
    pub figures: Figures,
}

impl Results {
    /// Writes all files.
    pub fn write(&self, arguments: &Arguments) {
        let out = &arguments.out;
        fs::create_dir_all(out).unwrap();
        let rows = ratios::rows(&self.figures);
        fs::write(out.join("results.md"), table::markdown(self, &rows)).unwrap();
        fs::write(out.join("results.json"), json::json(self, &rows)).unwrap();
        for (name, drawing) in plots::all(&self.figures) {
            fs::write(out.join(name), drawing).unwrap();
        }
        println!("{}", table::markdown(self, &rows));
        println!("written to {}", out.display());
    }

    /// The sizes, in ascending order.
    fn sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.figures.0.iter().map(|figure| figure.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

/// The crates beneath the sides, with their versions.
fn versions() -> Vec<String> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let crates = [
        "contact-store",
        "heed",
        "rusqlite",
        "fjall",
        "redb",
        "rocksdb",
    ];
    let version = |name: &str| {
        // Of two versions of one crate the later one is last.
        let (_, after) = LOCK.rsplit_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(format!("{name} {}", after.split('"').next()?))
    };
    let built = |name: &&str| cfg!(feature = "rocksdb") || *name != "rocksdb";
    let crates = crates.into_iter().filter(built);
    crates.filter_map(version).collect()
}

/// The names of all that can have figures, in the order in which they are shown.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = sides::all().iter().map(|kind| kind.name).collect();
    names.extend([RAW, BASELINE]);
    names
}

/// A number of contacts in short.
fn short(size: u64) -> String {
    match size {
        millions if millions % 1_000_000 == 0 => format!("{} M", millions / 1_000_000),
        thousands if thousands % 1_000 == 0 => format!("{} k", thousands / 1_000),
        other => other.to_string(),
    }
}
