//! Faults that tests seed into the engine to prove that they are found.
//!
//! Each stands where it would do its harm. Without the feature `testing` there are none: the
//! question is a constant, and the compiler takes it away. This module does not know what a fault
//! does.

/// Names the fault of a process, as its `Debug` output writes it.
#[cfg(feature = "testing")]
const VARIABLE: &str = "CONTACT_STORE_SEEDED_FAULT";

macro_rules! faults {
    ($($(#[doc = $what:literal])+ $fault:ident,)+) => {
        /// A fault to seed: what a process that has it in `CONTACT_STORE_SEEDED_FAULT` does wrong.
        #[cfg_attr(
            not(feature = "testing"),
            expect(unreachable_pub, reason = "public for tests only")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum SeededFault {
            $($(#[doc = $what])+ $fault,)+
        }

        #[cfg(feature = "testing")]
        impl SeededFault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$fault),+];
        }
    };
}

faults! {
    /// Nothing written is made to survive a power cut.
    SkipSync,
    /// Callers are answered before their commit.
    AcknowledgeBeforeCommit,
    /// A commit is one sync, of pages and header together.
    OnePhaseCommit,
    /// A failed commit is answered as if it had not failed.
    FailedCommitIsFine,
    /// The name of a new file is not made to survive a power cut.
    SkipDirectorySync,
    /// The pages of a file that was not closed cleanly are taken for whole.
    SkipPageCheck,
    /// A page that is no longer what was written is taken for right.
    SkipWitness,
    /// The checksum of a record is not looked at.
    SkipChecksum,
    /// An identifier that is replaced stays in its index.
    ForgetIndexDelete,
    /// Whoever has the same key in an index is taken for the one who was looked for.
    TrustTheHash,
    /// What a refused entry of a batch wrote stays.
    KeepRefusedEntry,
    /// A batch that is refused as a whole stays in up to the entry that was refused.
    CommitHalfABatch,
    /// The count of contacts forgets those that are erased.
    CounterNotUpdated,
    /// An erased contact's id is assigned again.
    ReuseOfAnId,
    /// Everything may be larger by one than its limit.
    OffByOneLimit,
    /// Of the white space around an identifier, one character on either side is taken off.
    NonIdempotentCanonicalForm,
    /// FAILED removes a token whatever the reason.
    RemoveOnAnyFailed,
    /// The writer is not told that there is something to do.
    LostWakeUp,
    /// Readers do not get the state that was just committed.
    StaleSnapshot,
    /// All requests of a group are answered with the number of its last one.
    LyingSequenceNumber,
    /// Closing leaves those unanswered who wait for a place in the queue.
    LobbyForgottenOnClose,
}

/// Whether this process has the fault.
#[cfg(feature = "testing")]
pub(crate) fn seeded(fault: SeededFault) -> bool {
    use std::sync::OnceLock;

    static SEEDED: OnceLock<Option<SeededFault>> = OnceLock::new();
    let seeded = SEEDED.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let mut all = SeededFault::ALL.iter().copied();
        all.find(|it| format!("{it:?}") == name)
    });
    *seeded == Some(fault)
}

/// Whether this process has the fault: never.
#[cfg(not(feature = "testing"))]
pub(crate) const fn seeded(_: SeededFault) -> bool {
    false
}
