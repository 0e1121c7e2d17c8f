//! The workloads, in the order in which they run.

mod bulk_load;
mod disk_bytes;
mod failed;
mod find;
mod listing;
mod many_callers;
mod memory;
mod mixed;
mod one_caller;
mod open;

pub use bulk_load::load;
pub use memory::PEAK;
pub use open::{CLEAN, UNCLEAN, VERIFIED};

use crate::measure::Figures;
use crate::stage::{Session, Stage};

pub struct Workload {
    pub name: &'static str,
    pub run: Run,
}

/// What a workload works on.
#[derive(Clone, Copy)]
pub enum Run {
    /// Filling the stores, which happens in any case.
    Load,
    /// The loaded stores, closed.
    Loaded(fn(&Stage, &mut Figures)),
    /// The loaded stores, open, only read.
    Reading(fn(&Session, &mut Figures)),
    /// Copies, open, changed by one workload after the other.
    Writing(fn(&mut Session, &mut Figures)),
    /// Copies, which each workload makes and opens as it needs.
    Copies(fn(&Stage, &mut Figures)),
}

pub const BULK_LOAD: &str = "bulk load";
pub const FIND_UNIFORM: &str = "find by email (uniform)";
pub const FIND_ZIPF: &str = "find by email (Zipf 0.99)";
pub const FIND_PHONE: &str = "find by phone";
pub const FIND_EXTERNAL_ID: &str = "find by external id";
pub const FIND_CONTACT_ID: &str = "find by contact id";
pub const FIND_TOKEN: &str = "find by app and token";
pub const MISS_ONE: &str = "miss on one kind";
pub const MISS_THREE: &str = "miss on three kinds";
pub const CASCADE: &str = "two misses, then a match";
pub const LISTING: &str = "listing";
pub const ONE_CALLER: &str = "one durable caller";
pub const MANY_CALLERS: &str = "64 durable callers";
pub const MIXED: &str = "mixed 95/5";
pub const FAILED: &str = "FAILED sweep";
pub const DISK_BYTES: &str = "bytes on disk";
pub const OPEN: &str = "open";
pub const MEMORY: &str = "memory";

pub const WORKLOADS: [Workload; 18] = {
    const fn of(name: &'static str, run: Run) -> Workload {
        Workload { name, run }
    }
    [
        of(BULK_LOAD, Run::Load),
        of(DISK_BYTES, Run::Loaded(disk_bytes::run)),
        of(FIND_EXTERNAL_ID, Run::Reading(find::by_external_id)),
        of(FIND_PHONE, Run::Reading(find::by_phone)),
        of(FIND_UNIFORM, Run::Reading(find::uniform)),
        of(FIND_ZIPF, Run::Reading(find::zipf)),
        of(FIND_CONTACT_ID, Run::Reading(find::by_contact_id)),
        of(FIND_TOKEN, Run::Reading(find::by_token)),
        of(MISS_ONE, Run::Reading(find::miss_one)),
        of(MISS_THREE, Run::Reading(find::miss_three)),
        of(CASCADE, Run::Reading(find::cascade)),
        of(LISTING, Run::Reading(listing::run)),
        of(ONE_CALLER, Run::Writing(one_caller::run)),
        of(MANY_CALLERS, Run::Writing(many_callers::run)),
        of(MIXED, Run::Writing(mixed::run)),
        of(FAILED, Run::Writing(failed::run)),
        of(OPEN, Run::Copies(open::run)),
        of(MEMORY, Run::Copies(memory::run)),
    ]
};
