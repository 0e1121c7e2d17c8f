//! Renaming a token, for a chat that got another id (R57).
//!
//! This module does not know why a chat got another id.

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::{AppId, AppNumber};
use crate::model::change::Cause;
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;
use crate::model::token::Token;
use crate::operations::card_limits;
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{AppRow, CardRow, Draft, Rows as _, SubscriberRow, find_subscriber};

/// A request to rename a token of an app, such as the token of a Telegram group that became a
/// supergroup ([R57](crate::rulebook#r57)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("-4001").email("ann@example.com"))).wait()?;
/// let request = RenameToken::new(bot, Token::parse("-4001")?, Token::parse("-1001234567890")?);
/// let renamed = store.rename_token(request.clone()).wait()?.outcome;
/// assert!(matches!(renamed, TokenRenamed::Renamed { .. }));
/// let ann = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
/// assert_eq!(ann.tokens[0].token.as_str(), "-1001234567890");
/// // Repeated, it finds nothing to rename.
/// assert_eq!(store.rename_token(request).wait()?.outcome, TokenRenamed::UnknownSubscriber);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameToken {
    app: AppId,
    old: Token,
    new: Token,
}

impl RenameToken {
    /// Makes a request to rename the token `old` of an app to `new`.
    #[must_use]
    pub fn new(app: AppId, old: Token, new: Token) -> Self {
        RenameToken { app, old, new }
    }

    pub(crate) fn prepare(self, limits: Limits) -> PreparedRename {
        PreparedRename {
            request: self,
            limits,
        }
    }
}

/// The outcome of a request to rename a token ([R57](crate::rulebook#r57)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRenamed {
    /// The token has its new name, at its place on every card.
    Renamed {
        /// The subscriber, the same as before.
        subscriber: SubscriberId,
        /// The contacts that hold it.
        contacts: Vec<ContactId>,
    },
    /// The new token already was a subscriber, and the two became one.
    Joined {
        /// The subscriber that remains, which is that of the old token.
        subscriber: SubscriberId,
        /// The subscriber of the new token, which was merged into the other and no longer exists.
        joined: SubscriberId,
        /// The contacts that hold the token. Those that held the old one come first.
        contacts: Vec<ContactId>,
    },
    /// The old token is not a subscriber of the app. Nothing was written.
    UnknownSubscriber,
}

/// A request to rename a token, with the limits in force.
#[derive(Clone)]
pub(crate) struct PreparedRename {
    request: RenameToken,
    limits: Limits,
}

impl Described for RenameToken {
    fn describe(&self, to: &mut Description) {
        let RenameToken { app, old, new } = self;
        to.parts(&[app, old, new]);
    }
}

impl Operation for PreparedRename {
    type Outcome = TokenRenamed;

    const KIND: OperationKind = OperationKind::RenameToken;

    fn size(&self) -> Size {
        let RenameToken { old, new, .. } = &self.request;
        Size::one(old.as_str().len().saturating_add(new.as_str().len()))
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokenRenamed>, Error> {
        let RenameToken { app, old, new } = &self.request;
        let app: AppRow = draft.row(app)?.ok_or(Error::UnknownApp(*app))?;
        let Some((id, before)) = find_subscriber(draft, app.number, old)? else {
            return Ok(Step::Done(TokenRenamed::UnknownSubscriber));
        };
        let mut after = before.clone();
        after.token = new.clone();
        let other = if old == new {
            None
        } else {
            self.join(draft, app.number, &mut after)?
        };
        draft.foresee::<CardRow>(after.holders.iter());
        for contact in &after.holders {
            self.rename_on_card(draft, *contact, id, other)?;
        }
        draft.write_subscriber(id, Some(&before), Some(&after))?;
        let contacts = after.holders.into_vec();
        Ok(Step::Done(match other {
            None => TokenRenamed::Renamed {
                subscriber: id,
                contacts,
            },
            Some(joined) => TokenRenamed::Joined {
                subscriber: id,
                joined,
                contacts,
            },
        }))
    }

    fn count(outcome: &TokenRenamed, tally: &mut Tally) {
        tally.entry(match outcome {
            TokenRenamed::Renamed { .. } => EntryOutcome::Renamed,
            TokenRenamed::Joined { .. } => EntryOutcome::Joined,
            TokenRenamed::UnknownSubscriber => EntryOutcome::UnknownSubscriber,
        });
    }
}

impl PreparedRename {
    /// Merges the subscriber of the new token, if there is one, into `after`, and removes it. The
    /// caller updates the cards.
    fn join(
        &self,
        draft: &mut Draft<'_>,
        app: AppNumber,
        after: &mut SubscriberRow,
    ) -> Result<Option<SubscriberId>, Error> {
        let Some((id, other)) = find_subscriber(draft, app, &self.request.new)? else {
            return Ok(None);
        };
        let held_before = after.holders.len().max(other.holders.len());
        for holder in &other.holders {
            if !after.holders.contains(holder) {
                after.holders.push(*holder);
            }
        }
        // A token over a lowered limit may stay as it is, but gains no holder.
        if after.holders.len() > held_before {
            let most = self.limits.contacts_per_token;
            LimitExceeded::check(Limit::ContactsPerToken, after.holders.len(), most)?;
        }
        after.counts.add(other.counts);
        after.last_registered_at = after.last_registered_at.max(other.last_registered_at);
        // If both statuses have the same time, the one of the subscriber that stays wins.
        if let Some((_, at)) = other.last_status
            && after.last_status.is_none_or(|(_, own)| at > own)
        {
            after.last_status = other.last_status;
        }
        // Of two mutes the later end stays (R59).
        after.muted = after.muted.max(other.muted);
        draft.write_subscriber(id, Some(&other), None)?;
        Ok(Some(id))
    }

    /// Renames the token on one card. If both tokens were on it, the place of the old one stays.
    fn rename_on_card(
        &self,
        draft: &mut Draft<'_>,
        contact: ContactId,
        id: SubscriberId,
        joined: Option<SubscriberId>,
    ) -> Result<(), Error> {
        let before: CardRow = draft.expect_row(&contact)?;
        let mut after = before.clone();
        if before.tokens.iter().any(|held| held.subscriber == id) {
            after.tokens.retain(|held| Some(held.subscriber) != joined);
        }
        for held in &mut after.tokens {
            if held.subscriber == id || Some(held.subscriber) == joined {
                held.subscriber = id;
                held.token = self.request.new.clone();
            }
        }
        let text = |card: &CardRow| {
            let tokens = card.tokens.iter().map(|held| held.token.as_str().len());
            tokens.fold(0, usize::saturating_add)
        };
        if text(&after) > text(&before) {
            card_limits::check(draft, &self.limits, &after)?;
        }
        Ok(draft.write_card(contact, Some(&before), Some(&after), Cause::Renamed)?)
    }
}
