//! Whether a card is within the limits.
//!
//! This module does not know why a card grows.

use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::AppNumber;
use crate::operations::not_accepted::NotAccepted;
use crate::storage::{AppPhase, CardRow, Rows};

/// Checks a card that something was added to.
pub(crate) fn check(
    rows: &impl Rows,
    limits: &Limits,
    card: &CardRow,
) -> Result<(), NotAccepted<LimitExceeded>> {
    let all = |_: AppNumber| true;
    if within(limits, card, all).is_ok() {
        return Ok(());
    }
    // Tokens of disconnected apps do not count, even if they are not removed yet (R11).
    let mut connected = Vec::new();
    for held in &card.tokens {
        if rows.tally(held.app())?.phase == AppPhase::Connected {
            connected.push(held.app());
        }
    }
    within(limits, card, |app| connected.contains(&app)).map_err(NotAccepted::Refused)
}

/// The bytes of text on a card, without its tokens.
pub(crate) fn own_text(card: &CardRow) -> usize {
    card.identifiers
        .text_len()
        .saturating_add(card.fields.text_len())
}

fn within(
    limits: &Limits,
    card: &CardRow,
    counts: impl Fn(AppNumber) -> bool,
) -> Result<(), LimitExceeded> {
    let tokens = || card.tokens.iter().filter(|held| counts(held.app()));
    LimitExceeded::check(
        Limit::TokensPerContact,
        tokens().count(),
        limits.tokens_per_contact,
    )?;
    LimitExceeded::check(
        Limit::CustomFieldsPerContact,
        card.fields.custom.len(),
        limits.custom_fields_per_contact,
    )?;
    let text = tokens()
        .map(|held| held.token.as_str().len())
        .fold(own_text(card), usize::saturating_add);
    LimitExceeded::check(Limit::CardTextBytes, text, limits.card_text_bytes)
}
