//! Memory: what a process with the store takes at most while it opens it, finds as many people at
//! random as there are (a million at most), adds some more, and lists everybody.

use crate::children;
use crate::measure::{Figures, Measured, Unit};
use crate::stage::Stage;

/// The most that was resident, with the pages of mapped files that were.
pub const PEAK: &str = "peak";
/// The most that was seen of it without pages of files.
pub const ANONYMOUS: &str = "anonymous";

pub fn run(stage: &Stage, figures: &mut Figures) {
    let this = std::env::current_exe().unwrap();
    for kind in stage.durable() {
        let directory = stage.copy(kind.name);
        let resident = children::memory(
            &this,
            kind.name,
            &directory,
            stage.size,
            stage.plan.requests,
        );
        for (measure, bytes) in [(PEAK, resident.peak), (ANONYMOUS, resident.anonymous)] {
            let measured = Measured {
                workload: super::MEMORY,
                measure,
                unit: Unit::Bytes,
            };
            figures.add(&measured, stage.size, kind.name, &[bytes as f64]);
        }
    }
    stage.remove_copies();
}
