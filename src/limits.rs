//! The bounds on one request, one card and the queue.
//!
//! This module knows the numbers, not what is counted against them.

use std::fmt;

/// The greatest contact id: 2^63-1, the greatest "Long" of the published API (R2).
pub(crate) const GREATEST_CONTACT_ID: u64 = i64::MAX as u64;
/// Longest token, in bytes ([R9](crate::rulebook#r9)).
pub const TOKEN_BYTES: usize = 4_096;
/// Longest `externalCustomerId`, in bytes ([R3](crate::rulebook#r3)).
pub const EXTERNAL_CUSTOMER_ID_BYTES: usize = 1_024;
/// Longest app name, in bytes.
pub const APP_NAME_BYTES: usize = 256;
/// Longest access key of an app, in bytes.
pub const ACCESS_KEY_BYTES: usize = 4_096;
/// Longest message id, in bytes.
pub const MESSAGE_ID_BYTES: usize = 256;
/// Longest name of a custom field, in bytes ([R43](crate::rulebook#r43)).
pub const FIELD_NAME_BYTES: usize = 128;
/// Longest value of a field of a contact, in bytes ([R43](crate::rulebook#r43)).
pub const FIELD_VALUE_BYTES: usize = 4_096;
/// Most contacts that may be merged into one, directly or through others
/// ([R58](crate::rulebook#r58)).
pub const MERGES_PER_CONTACT: usize = 256;
/// Most rows that one page of a listing may ask for; the fewest is 1.
pub const PAGE_ROWS: usize = 1_000;
/// Most cards that one page of the contacts of an app looks at ([R56](crate::rulebook#r56)).
pub const PAGE_CARDS_LOOKED_AT: usize = 10_000;
/// Most changes that the change feed may be set to keep ([R60](crate::rulebook#r60)).
pub const CHANGES_KEPT: usize = 1_000_000_000;
/// Most rows of the change feed that one page looks at ([R60](crate::rulebook#r60)).
pub const PAGE_CHANGE_ROWS_LOOKED_AT: usize = 10_000;
/// Longest idempotency key, in bytes ([R64](crate::rulebook#r64)).
pub const IDEMPOTENCY_KEY_BYTES: usize = 128;
/// Most answers of requests with an idempotency key that the store may be set to keep
/// ([R64](crate::rulebook#r64)).
pub const ANSWERS_KEPT: usize = 10_000_000;
/// Longest outcome of a request with an idempotency key, in bytes as it is kept
/// ([R64](crate::rulebook#r64)). That of an entry takes about ten, and some for each contact that it
/// names.
pub const ANSWER_BYTES: usize = 4 << 20;
/// Most pairs of contacts that the list of conflicts may be set to have
/// ([R61](crate::rulebook#r61)). They take about 1.5 GB of the file, and are far more than anybody works
/// off.
pub const CONFLICTS_LISTED: usize = 10_000_000;
/// Most tokens removed by FAILED that the store may be set to remember
/// ([R63](crate::rulebook#r63)). With one contact each, they take about 1 GB of the file.
pub const BLOCKED_TOKENS_REMEMBERED: usize = 10_000_000;
/// A commit takes further requests until it holds this many entries; it always takes one.
pub const COMMIT_ENTRIES: usize = 4_096;
/// A commit takes further requests until it holds this many bytes of text; it always takes one.
pub const COMMIT_TEXT_BYTES: usize = 4 << 20;

/// Longest row of CSV that is imported, in bytes of UTF-8 ([R70](crate::rulebook#r70)).
#[cfg(feature = "transfer")]
pub const CSV_ROW_BYTES: usize = 16 << 20;
/// Most columns of CSV that is imported ([R70](crate::rulebook#r70)).
#[cfg(feature = "transfer")]
pub const CSV_COLUMNS: usize = 4_096;

/// The limits that a host may set when it opens a store. Each is at least 1.
///
/// They bound what is written from then on. A card that is already over a lowered limit stays as it
/// is and can be read, but nothing can be added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most tokens on one card, of all connected apps together. Default 1,024, at most 65,536.
    pub tokens_per_contact: usize,
    /// Most contacts that may hold one token under `Ownership::Shared`. Default 1,024, at most
    /// 65,536.
    pub contacts_per_token: usize,
    /// Most entries in one request. Default 3,000.
    pub entries_per_request: usize,
    /// Most bytes of text in one request. Default 8 MiB.
    pub request_text_bytes: usize,
    /// Most custom fields on one card. Default 256, at most 65,536.
    pub custom_fields_per_contact: usize,
    /// Most bytes of text on one card: identifiers, tokens, names of custom fields and values of
    /// fields, in UTF-8, without any encoding overhead. Default 256 KiB, at most 8 MiB.
    pub card_text_bytes: usize,
    /// Most identifiers that may be suppressed at the same time ([R65](crate::rulebook#r65)). Default
    /// 10,000,000, which take about 300 MB of the file.
    pub suppressed_identifiers: usize,
    /// Most requests that may wait for the writer. Default 1,024.
    pub waiting_requests: usize,
    /// Most bytes of text that the waiting requests may hold together. Default 32 MiB.
    pub waiting_text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            tokens_per_contact: 1_024,
            contacts_per_token: 1_024,
            entries_per_request: 3_000,
            request_text_bytes: 8 << 20,
            custom_fields_per_contact: 256,
            card_text_bytes: 256 << 10,
            suppressed_identifiers: 10_000_000,
            waiting_requests: 1_024,
            waiting_text_bytes: 32 << 20,
        }
    }
}

impl Limits {
    /// Refuses limits of zero, which would refuse every request.
    pub(crate) fn refuse_zero(&self) -> Result<(), LimitZero> {
        let limits = [
            ("tokens_per_contact", self.tokens_per_contact),
            ("contacts_per_token", self.contacts_per_token),
            ("entries_per_request", self.entries_per_request),
            ("request_text_bytes", self.request_text_bytes),
            ("custom_fields_per_contact", self.custom_fields_per_contact),
            ("card_text_bytes", self.card_text_bytes),
            ("suppressed_identifiers", self.suppressed_identifiers),
            ("waiting_requests", self.waiting_requests),
            ("waiting_text_bytes", self.waiting_text_bytes),
        ];
        let mut zero = limits.into_iter().filter(|(_, set)| *set == 0);
        zero.next()
            .map_or(Ok(()), |(name, _)| Err(LimitZero { name }))
    }

    /// Refuses limits beyond which a record would be too large to be read back safely.
    pub(crate) fn validate(&self) -> Result<(), LimitTooHigh> {
        let bounded = [
            ("tokens_per_contact", self.tokens_per_contact, 65_536),
            ("contacts_per_token", self.contacts_per_token, 65_536),
            (
                "custom_fields_per_contact",
                self.custom_fields_per_contact,
                65_536,
            ),
            ("card_text_bytes", self.card_text_bytes, 8 << 20),
        ];
        let mut bounded = bounded.into_iter();
        bounded.try_for_each(|(name, set, most)| LimitTooHigh::check(name, set, most))
    }
}

/// A limit was set higher than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {name} is set to {set}, the most is {most}")]
#[non_exhaustive]
pub struct LimitTooHigh {
    /// The field of [`Limits`], or the option.
    pub name: &'static str,
    /// The value that it was set to.
    pub set: usize,
    /// The highest value that it may have.
    pub most: usize,
}

impl LimitTooHigh {
    /// Refuses when `set` is over `most`.
    pub(crate) fn check(name: &'static str, set: usize, most: usize) -> Result<(), LimitTooHigh> {
        if set <= most {
            Ok(())
        } else {
            Err(LimitTooHigh { name, set, most })
        }
    }
}

/// A limit was set to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {name} is set to 0, the least is 1")]
#[non_exhaustive]
pub struct LimitZero {
    /// The field of [`Limits`], or the option.
    pub name: &'static str,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Tokens on one card.
    TokensPerContact,
    /// Contacts that hold one shared token.
    ContactsPerToken,
    /// Entries in one request.
    EntriesPerRequest,
    /// Bytes of text in one request.
    RequestTextBytes,
    /// Custom fields on one card.
    CustomFieldsPerContact,
    /// Bytes of text on one card.
    CardTextBytes,
    /// Suppressed identifiers in the store.
    SuppressedIdentifiers,
    /// Rows asked for in one page.
    PageRows,
    /// Subscriber ids assigned since an app was connected. At most 2^40 - 1. After that the app
    /// must be disconnected and connected again.
    SubscribersOfApp,
    /// Bytes of the outcome of a request with an idempotency key.
    AnswerBytes,
    /// Apps connected since the store was created, counting each connection. At most 2^23 - 1.
    AppConnections,
    /// Contacts merged into one.
    MergesPerContact,
}

impl Limit {
    fn counted(self) -> &'static str {
        match self {
            Limit::TokensPerContact => "tokens on the card",
            Limit::ContactsPerToken => "contacts that hold the token",
            Limit::EntriesPerRequest => "entries in the request",
            Limit::RequestTextBytes => "bytes of text in the request",
            Limit::CustomFieldsPerContact => "custom fields on the card",
            Limit::CardTextBytes => "bytes of text on the card",
            Limit::SuppressedIdentifiers => "suppressed identifiers",
            Limit::PageRows => "rows in a page",
            Limit::SubscribersOfApp => "subscribers ever added to the app",
            Limit::AnswerBytes => "bytes of the outcome to keep",
            Limit::AppConnections => "connections of apps ever made",
            Limit::MergesPerContact => "contacts merged into one",
        }
    }
}

/// A request would exceed a limit. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitExceeded {
    /// What was counted.
    pub limit: Limit,
    /// The amount that there would have been.
    pub actual: u64,
    /// The most that there may be.
    pub most: u64,
}

impl LimitExceeded {
    /// Refuses when `actual` is over `most`.
    pub(crate) fn check(limit: Limit, actual: usize, most: usize) -> Result<(), LimitExceeded> {
        Self::check_count(limit, actual as u64, most as u64)
    }

    /// The same for what is counted over the life of a store.
    pub(crate) fn check_count(limit: Limit, actual: u64, most: u64) -> Result<(), LimitExceeded> {
        if actual <= most {
            Ok(())
        } else {
            Err(LimitExceeded {
                limit,
                actual,
                most,
            })
        }
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitExceeded {
            limit,
            actual,
            most,
        } = self;
        if *limit == Limit::PageRows {
            return write!(f, "{actual} rows in a page, must be 1 to {most}");
        }
        write!(f, "{actual} {}, the most is {most}", limit.counted())
    }
}

impl std::error::Error for LimitExceeded {}
