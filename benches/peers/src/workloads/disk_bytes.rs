//! Bytes on disk: the blocks that the file system gave to a store that was loaded and closed.

use crate::disk;
use crate::measure::{Figures, Measured, Unit};
use crate::stage::{BASELINE, Stage};

const BYTES: Measured = Measured {
    workload: super::DISK_BYTES,
    measure: "a contact",
    unit: Unit::BytesPerContact,
};

pub fn run(stage: &Stage, figures: &mut Figures) {
    let baseline = stage.baseline.map(|_| BASELINE);
    for name in stage.filling().map(|kind| kind.name).chain(baseline) {
        let bytes = disk::allocated(&stage.loaded(name)) as f64;
        figures.add(&BYTES, stage.size, name, &[bytes / stage.size as f64]);
    }
}
