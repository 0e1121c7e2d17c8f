//! The demands on the answers that are kept for repeated requests: each is led to by its idempotency key,
//! and each key leads to an answer.

use crate::model::sequence::SequenceNumber;

use super::super::format::answers::{AnswerKeyRow, AnswerRow, KeyHash};
use super::super::guard::Failure;
use super::super::read::Rows as _;
use super::Check;
use super::demands::*;

impl Check {
    pub(super) fn answer(
        &mut self,
        request: SequenceNumber,
        row: AnswerRow,
    ) -> Result<(), Failure> {
        let number = request.value();
        let was_made = request <= self.committed.state().sequence;
        self.demand(ANSWER_IS_OF_A_REQUEST_MADE, number, was_made);
        let leads_to: Option<AnswerKeyRow> = self.named(&row.key)?;
        // To a later one, when the time of this one was over and the key came again.
        let leads = leads_to.is_some_and(|key| key.request >= request);
        self.demand(ANSWER_HAS_ITS_KEY, number, leads);
        Ok(())
    }

    pub(super) fn answer_key(&mut self, key: KeyHash, row: AnswerKeyRow) -> Result<(), Failure> {
        let answer: Option<AnswerRow> = self.named(&row.request)?;
        let has_answer = answer.is_some_and(|answer| answer.key == key);
        self.demand(KEY_LEADS_TO_ITS_ANSWER, None, has_answer);
        Ok(())
    }
}
