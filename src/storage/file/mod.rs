//! The layers between the tables and the disk. Nothing here knows what is in a page.
//!
//! [`create`] makes a file, or opens one, so that it is there whole or not at all. [`disk`] says what a disk
//! is, and hands one to redb; [`lock`] keeps other processes from it or lets them read. The others are disks over another: [`gather`] writes in order, [`witness`]
//! notices what changed by itself, [`overlay`] keeps all writes in memory, [`read_progress`] tells how much was
//! read. [`slot`] finds the newer of redb's commits, and [`file_watch`] whether the file is still at its path.

pub(super) mod create;
pub(super) mod disk;
pub(super) mod file_watch;
pub(super) mod gather;
pub(super) mod lock;
pub(super) mod overlay;
pub(super) mod read_progress;
pub(super) mod slot;
pub(super) mod unsynced;
pub(super) mod witness;
