//! Removing a token from cards on the host's own order (R45).

use crate::error::Error;
use crate::model::app::AppId;
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;
use crate::model::token::Token;
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step};
use crate::rules::Removal;
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    AppRow, Draft, Failure, Rows as _, SubscriberRow, find_subscriber, merged_into,
};

/// A request to remove a token from the card of one contact, or of all that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveToken {
    app: AppId,
    token: Token,
    contact: Option<ContactId>,
}

impl RemoveToken {
    /// Makes a request to remove a token from the cards of all contacts that hold it.
    #[must_use]
    pub fn of_all(app: AppId, token: Token) -> Self {
        RemoveToken {
            app,
            token,
            contact: None,
        }
    }

    /// Limits the request to the card of one contact. Others that hold the token keep it.
    #[must_use]
    pub fn of(app: AppId, token: Token, contact: ContactId) -> Self {
        RemoveToken {
            app,
            token,
            contact: Some(contact),
        }
    }
}

/// The outcome of a request to remove a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRemoved {
    /// The contacts whose cards lost it. Empty when no named contact held it.
    pub from: Vec<ContactId>,
}

impl Described for RemoveToken {
    fn describe(&self, to: &mut Description) {
        let RemoveToken {
            app,
            token,
            contact,
        } = self;
        to.parts(&[app, token, contact]);
    }
}

impl Operation for RemoveToken {
    type Outcome = TokenRemoved;

    const KIND: OperationKind = OperationKind::RemoveToken;

    fn size(&self) -> Size {
        Size::one(self.token.as_str().len())
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokenRemoved>, Error> {
        let app: AppRow = draft.row(&self.app)?.ok_or(Error::UnknownApp(self.app))?;
        let Some((id, row)) = find_subscriber(draft, app.number, &self.token)? else {
            return Ok(Step::Done(TokenRemoved { from: Vec::new() }));
        };
        let from: Vec<ContactId> = match self.contact {
            Some(contact) if row.holders.contains(&contact) => vec![contact],
            Some(contact) => {
                // It may be in another by now (R58).
                let present = merged_into(draft, contact)?;
                let holds = present.filter(|contact| row.holders.contains(contact));
                holds.into_iter().collect()
            }
            None => row.holders.to_vec(),
        };
        take_off(draft, (id, &row), &from, Removal::ordered_by_host())?;
        Ok(Step::Done(TokenRemoved { from }))
    }

    fn count(outcome: &TokenRemoved, tally: &mut Tally) {
        tally.entry(if outcome.from.is_empty() {
            EntryOutcome::NotHeld
        } else {
            EntryOutcome::Removed
        });
    }
}

/// Takes a token off the cards of `from`, which all hold it, on the host's order. Counts its
/// subscriber as removed when no other contact holds it.
pub(crate) fn take_off(
    draft: &mut Draft<'_>,
    (id, row): (SubscriberId, &SubscriberRow),
    from: &[ContactId],
    removal: Removal,
) -> Result<(), Failure> {
    holding::take_off_cards(draft, id, from, removal)?;
    if holding::strike_holders(draft, (id, row), from)? {
        draft.change_tally(row.app, |tally| {
            tally.removed_by_host = tally.removed_by_host.saturating_add(1);
            Ok(())
        })?;
    }
    Ok(())
}
