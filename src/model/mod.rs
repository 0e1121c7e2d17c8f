//! The values that a host passes in and gets back, checked once and in canonical form.
//!
//! Nothing here knows the store or any operation.
//!
//! | about | modules |
//! | --- | --- |
//! | who somebody is | [`identifier`], [`placeholders`] |
//! | what is kept of them | [`contact`], [`fields`] |
//! | how they are reached | [`app`], [`token`], [`subscriber`], [`recipient`], [`send_request`] |
//! | what was sent and how that went | [`report`] |
//! | when, and after what | [`time`], [`sequence`] |
//! | what a request changed | [`change`] |
//! | what is wrong with a value | [`fault`] |
//! | text | [`text`], [`names`] |

pub(crate) mod app;
pub(crate) mod change;
pub(crate) mod conflict;
pub(crate) mod contact;
pub(crate) mod fault;
pub(crate) mod fields;
pub(crate) mod holders;
pub(crate) mod idempotency_key;
pub(crate) mod identifier;
pub(crate) mod names;
pub(crate) mod placeholders;
pub(crate) mod recipient;
pub(crate) mod report;
pub(crate) mod send_request;
pub(crate) mod sequence;
pub(crate) mod subscriber;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod token;
