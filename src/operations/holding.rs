//! Holding a token: its card and its subscriber, changed together.
//!
//! A subscriber that no contact holds any more is removed. This module does not know why a token is
//! added or removed.

use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::AppNumber;
use crate::model::holders::Holders;
use crate::model::identifier::ContactId;
use crate::model::report::StatusCounts;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::operations::card_limits;
use crate::operations::not_accepted::NotAccepted;
use crate::rules::Removal;
use crate::storage::{CardRow, Draft, Failure, HeldTokenRow, Rows, SubscriberRow};

/// Appends a held token to a card, within the limits (R20).
pub(crate) fn append(
    rows: &impl Rows,
    limits: &Limits,
    card: &mut CardRow,
    held: HeldTokenRow,
) -> Result<(), NotAccepted> {
    card.tokens.push(held);
    Ok(card_limits::check(rows, limits, card)?)
}

/// Takes the next subscriber id of an app.
pub(crate) fn take_subscriber_id(
    draft: &mut Draft<'_>,
    app: AppNumber,
) -> Result<SubscriberId, NotAccepted<LimitExceeded>> {
    let most = SubscriberId::MOST_OF_AN_APP;
    let none_left = LimitExceeded {
        limit: Limit::SubscribersOfApp,
        actual: most.saturating_add(1),
        most,
    };
    let id = draft.take_subscriber_id(app)?;
    id.ok_or(NotAccepted::Refused(none_left))
}

/// A new subscriber for `token`.
pub(crate) fn new_subscriber(
    app: AppNumber,
    token: Token,
    holders: Holders,
    at: Timestamp,
) -> SubscriberRow {
    SubscriberRow {
        app,
        token,
        holders,
        last_registered_at: at,
        last_status: None,
        counts: StatusCounts::default(),
        muted: None,
    }
}

/// Takes a token off the cards of `contacts`, which all hold it. The caller updates the subscriber.
pub(crate) fn take_off_cards(
    draft: &mut Draft<'_>,
    id: SubscriberId,
    contacts: &[ContactId],
    removal: Removal,
) -> Result<(), Failure> {
    draft.foresee::<CardRow>(contacts.iter());
    for contact in contacts {
        let mut card: CardRow = draft.expect_row(contact)?;
        let before = std::mem::take(&mut card.tokens);
        let others = before.iter().filter(|held| held.subscriber != id);
        card.tokens.extend(others.cloned());
        draft.write_card_tokens(*contact, &before, &card, removal.cause())?;
    }
    Ok(())
}

/// Removes `contacts` from the holders of a subscriber, and the subscriber when no holder is left.
/// Returns whether it was removed. The caller updates the cards.
pub(crate) fn strike_holders(
    draft: &mut Draft<'_>,
    (id, row): (SubscriberId, &SubscriberRow),
    contacts: &[ContactId],
) -> Result<bool, Failure> {
    let mut after = row.clone();
    after.holders.retain(|holder| !contacts.contains(holder));
    let after = (!after.holders.is_empty()).then_some(after);
    draft.write_subscriber(id, Some(row), after.as_ref())?;
    Ok(after.is_none())
}

/// Takes a token off the cards of all its holders, and removes the subscriber.
pub(crate) fn remove_subscriber(
    draft: &mut Draft<'_>,
    (id, row): (SubscriberId, &SubscriberRow),
    removal: Removal,
) -> Result<(), Failure> {
    take_off_cards(draft, id, &row.holders, removal)?;
    draft.write_subscriber(id, Some(row), None)
}
