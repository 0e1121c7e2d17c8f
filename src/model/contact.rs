//! The card of one contact, as a reader sees it.
//!
//! This module does not know how a card is stored or changed.

use crate::model::app::AppId;
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::model::token::Token;

/// One contact's card ([R29](crate::rulebook#r29)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Card {
    /// The contact's id.
    pub id: ContactId,
    /// All its identifiers, including the contact id.
    pub identifiers: Identifiers,
    /// When the contact was created.
    pub created_at: Timestamp,
    /// The app through which it was created. The app may have been disconnected since.
    pub created_through: Option<AppId>,
    /// Its fields ([R43](crate::rulebook#r43)).
    pub fields: ContactFields,
    /// Its tokens of connected apps, in the order in which they were added
    /// ([R20](crate::rulebook#r20)).
    pub tokens: Vec<HeldToken>,
}

impl Card {
    /// Returns its tokens of one app, in the order in which they were added.
    pub fn tokens_of(&self, app: AppId) -> impl Iterator<Item = &HeldToken> {
        self.tokens.iter().filter(move |held| held.app == app)
    }
}

/// One token on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldToken {
    /// The app that the token belongs to.
    pub app: AppId,
    /// The token.
    pub token: Token,
    /// The subscriber that the app and token make.
    pub subscriber: SubscriberId,
    /// When the token was added to this card.
    pub added_at: Timestamp,
}
