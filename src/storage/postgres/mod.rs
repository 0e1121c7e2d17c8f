//! A store in a PostgreSQL database, which several hosts write to.
//!
//! The rows and their records are those of a file. A group of requests is one transaction, which holds the lock of
//! the row of counters from its beginning to its end: that is the order of all requests of all hosts
//! (R47).
//!
//! A group reads in one round trip and commits in the next, however many requests and entries it has. Where one
//! row leads to another that nothing else asks for, each step is one round trip more. A test counts:
//!
//! | a group that adds tokens: 1, 10 or 1,000 entries of a request, or 64 requests | statements | round trips |
//! | --- | --- | --- |
//! | of new contacts | 14 | 2 |
//! | again, of contacts and tokens that are there | 12 | 2 |
//!
//! A connection is driven by the thread that waits for its answers, so that each wakes one thread. No runtime takes
//! part, and only the [`listener`] has a thread of its own.
//!
//! A host that falls silent in a group loses the lock after half of the patience: the server ends its
//! transaction. Others wait for the lock for three quarters of it, and for any answer for the whole.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`engine`] | decides and commits groups, and settles what a lost connection left open |
//! | [`known`] | what is known of the rows while requests are decided, and what is missing |
//! | [`write`](mod@write) | writes what they changed |
//! | [`readers`], [`read`](mod@read), [`source`] | states that are read: what they share, their transactions, their rows |
//! | [`begun`] | where the store stands when a transaction begins |
//! | [`fetch`] | statements that read rows |
//! | [`keys`] | keys and hashes in SQL |
//! | [`schema`] | the SQL tables, made and migrated |
//! | [`pool`], [`link`], [`settings`] | connections |
//! | [`drive`], [`socket`] | reading and writing on the thread that waits |
//! | [`listener`] | hears when other hosts wrote |

mod begun;
mod drive;
mod engine;
mod fetch;
mod keys;
mod known;
mod link;
mod listener;
mod pool;
mod read;
mod readers;
mod schema;
mod settings;
mod socket;
mod source;
mod write;

pub(super) use self::engine::PostgresEngine;
pub(super) use self::known::Known;
pub(super) use self::pool::Pool;
pub(crate) use self::settings::Settings;
pub(super) use self::source::Source;
