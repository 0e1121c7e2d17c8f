//! The answers of requests with an idempotency key, kept for those that repeat them (R64).
//!
//! An answer is a row under the number of its request, written in the commit of that request, and a second
//! row leads from the keyed hash of the idempotency key to it. Neither has text of the key or the request.
//! An answer whose time is over counts as none. Its row goes when it is the oldest: the one after it under
//! the same key has taken over the second row by then. This module does not know what is in an outcome.

use crate::error::Error;
use crate::limits::{ANSWER_BYTES, Limit, LimitExceeded};
use crate::model::idempotency_key::{IdempotencyKey, KeepAnswers};
use crate::model::sequence::SequenceNumber;
use crate::model::time::Timestamp;
use crate::stats::KeptAnswers;

use super::committed::Committed;
use super::draft::Draft;
use super::format::answers::{AnswerKeyRow, AnswerRow, KeyHash};
use super::format::hash::{IDEMPOTENCY_KEY, IndexHasher, REQUEST, WideHasher};
use super::format::record;
use super::guard::Failure;
use super::read::Rows as _;
use super::tables::Table;

/// Makes the keyed hashes of idempotency keys and of requests.
#[derive(Clone, Copy)]
pub(crate) struct RequestHasher(IndexHasher);

impl RequestHasher {
    #[cfg(test)]
    pub(crate) fn of_key(key: u128) -> Self {
        RequestHasher(IndexHasher::new(key, u64::MAX))
    }

    pub(crate) fn key(self, key: &IdempotencyKey) -> KeyHash {
        let mut hash = self.0.wide(IDEMPOTENCY_KEY);
        hash.write(key.reveal().as_bytes());
        KeyHash(hash.finish())
    }

    /// Begins the hash of a request.
    pub(crate) fn request(self) -> WideHasher {
        self.0.wide(REQUEST)
    }
}

/// A request with an idempotency key.
#[derive(Clone, Copy)]
pub(crate) struct Keyed {
    pub(crate) key: KeyHash,
    /// The keyed hash of the request.
    pub(crate) request: u128,
    /// When it was made, by the clock of the store.
    pub(crate) at: Timestamp,
}

/// What is known of a request with an idempotency key.
pub(crate) enum Known {
    /// Nothing: it is to be done.
    New,
    /// It is being done, in steps.
    UnderWay,
    /// It was done: its number and its outcome.
    Done(SequenceNumber, Vec<u8>),
    /// Another request has the key.
    Other,
}

/// The answers that a draft adds.
#[derive(Clone, Copy, Default)]
pub(super) struct NewAnswers {
    added: u64,
    /// When the latest request among them was made.
    now: Timestamp,
}

impl Committed {
    pub(crate) fn request_hasher(&self) -> RequestHasher {
        RequestHasher(self.hasher())
    }

    /// How many answers are kept; `None` while none are.
    pub(super) fn answer_stats(&self) -> Option<KeptAnswers> {
        let keep = self.keep_answers()?;
        Some(KeptAnswers {
            kept: self.answers(),
            most: keep.most(),
        })
    }
}

impl Draft<'_> {
    /// What is known of a request with an idempotency key.
    pub(crate) fn known_request(&self, keyed: &Keyed) -> Result<Known, Failure> {
        if self.under_way.contains(&keyed.key) {
            return Ok(Known::UnderWay);
        }
        let Some(AnswerKeyRow { request }) = self.row(&keyed.key)? else {
            return Ok(Known::New);
        };
        let answer: AnswerRow = self.expect_row(&request)?;
        let keep = self.base().keep_answers();
        Ok(
            if keep.is_none_or(|keep| keep.is_over(answer.at, keyed.at)) {
                Known::New
            } else if answer.request == keyed.request {
                Known::Done(request, answer.outcome)
            } else {
                Known::Other
            },
        )
    }

    /// Notes that a request goes on in the next commit. Until it is done, no other is decided under its
    /// key.
    pub(crate) fn note_under_way(&mut self, keyed: &Keyed) {
        self.under_way.push(keyed.key);
    }

    /// Keeps the outcome of a request that is being decided, under the number that it takes.
    pub(crate) fn keep_answer(&mut self, keyed: &Keyed, outcome: Vec<u8>) -> Result<(), Error> {
        LimitExceeded::check(Limit::AnswerBytes, outcome.len(), ANSWER_BYTES)?;
        let request = self.state.sequence.next();
        let Keyed {
            key,
            request: hash,
            at,
        } = *keyed;
        let answer = AnswerRow {
            key,
            request: hash,
            at,
            outcome,
        };
        self.put_or_insert(&request, true, Some(&answer))?;
        self.put(&key, Some(&AnswerKeyRow { request }))?;
        let NewAnswers { added, now } = self.new_answers;
        self.new_answers = NewAnswers {
            added: added.saturating_add(1),
            now: now.max(at),
        };
        Ok(())
    }

    /// Drops the oldest answers that are over a bound: at most four for each that came.
    pub(super) fn trim_answers(&mut self, keep: KeepAnswers) -> Result<(), Failure> {
        const FOR_EACH_NEW: u64 = 4;
        let NewAnswers { added, now } = self.new_answers;
        let most = added.saturating_mul(FOR_EACH_NEW);
        if most == 0 {
            return Ok(());
        }
        let mut kept = self.base().answers().saturating_add(added);
        let mut dropped: Vec<(SequenceNumber, KeyHash)> = Vec::new();
        let (first, last) = Table::Answers.span();
        self.walk(Table::Answers, (&first, &last), true, &mut |key, bytes| {
            let (request, answer) = record::decode_row::<AnswerRow>(&key, bytes)?;
            if kept <= keep.most() && !keep.is_over(answer.at, now) {
                return Ok(false);
            }
            dropped.push((request, answer.key));
            kept = kept.saturating_sub(1);
            Ok((dropped.len() as u64) < most)
        })?;
        for (request, key) in dropped {
            self.put::<AnswerRow>(&request, None)?;
            let leads_to: Option<AnswerKeyRow> = self.row(&key)?;
            if leads_to.is_some_and(|row| row.request == request) {
                self.put::<AnswerKeyRow>(&key, None)?;
            }
        }
        Ok(())
    }
}
