//! Erasing a contact (R44).

use crate::error::Error;
use crate::model::change::Cause;
use crate::model::identifier::ContactId;
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{CardRow, Draft, Rows as _, SubscriberRow};

/// The outcome of a request to erase a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// Whether the contact existed.
    pub erased: bool,
}

/// A request to erase a contact.
pub(crate) struct Erase(pub(crate) ContactId);

impl Operation for Erase {
    type Outcome = Erased;

    const KIND: OperationKind = OperationKind::Erase;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Erased>, Error> {
        let contact = self.0;
        let Some(card): Option<CardRow> = draft.row(&contact)? else {
            return Ok(Step::Done(Erased { erased: false }));
        };
        for held in &card.tokens {
            let row: SubscriberRow = draft.expect_row(&held.subscriber)?;
            holding::strike_holders(draft, (held.subscriber, &row), &[contact])?;
        }
        draft.write_card(contact, Some(&card), None, Cause::Given)?;
        Ok(Step::Done(Erased { erased: true }))
    }

    fn count(outcome: &Erased, tally: &mut Tally) {
        tally.entry(if outcome.erased {
            EntryOutcome::Erased
        } else {
            EntryOutcome::UnknownContact
        });
    }
}
