//! The writes: each request, how it is decided on a draft, and its outcome.
//!
//! An operation reads rows through the draft, lets the [`rules`](crate::rules) decide, and puts the
//! changed rows into the draft. It does not know when they reach the file.
//!
//! | | modules |
//! | --- | --- |
//! | what every write is | [`operation`] |
//! | many entries in one request | [`batch`], [`not_accepted`], [`outcomes`] |
//! | what several operations do | [`matching`], [`new_contact`], [`holding`], [`card_limits`], [`merging`] |
//! | one file an operation | all others |

pub(crate) mod add_tokens;
pub(crate) mod batch;
pub(crate) mod bring_back;
pub(crate) mod card_limits;
pub(crate) mod connect_app;
pub(crate) mod described;
pub(crate) mod dismiss_conflict;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod forget_messages;
pub(crate) mod holding;
pub(crate) mod lift_suppression;
pub(crate) mod matching;
pub(crate) mod merge;
pub(crate) mod merging;
pub(crate) mod mute;
pub(crate) mod new_contact;
pub(crate) mod not_accepted;
pub(crate) mod once;
pub(crate) mod operation;
pub(crate) mod outcomes;
pub(crate) mod record_reports;
pub(crate) mod remembered;
pub(crate) mod remove_stale;
pub(crate) mod remove_token;
pub(crate) mod rename_token;
pub(crate) mod split;
#[cfg(feature = "transfer")]
pub(crate) mod take_over;
pub(crate) mod unmerge;
pub(crate) mod upsert;
