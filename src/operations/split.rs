//! Splitting a contact in two (R58).
//!
//! This module does not know whether the two were ever merged.

use std::collections::BTreeSet;

use crate::error::{Error, MergeError};
use crate::limits::Limits;
use crate::model::change::Cause;
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, IdentifierKind, KindSet};
use crate::model::subscriber::SubscriberId;
use crate::model::time::{RequestTime, Timestamp};
use crate::operations::card_limits;
use crate::operations::described::{Described, Description};
use crate::operations::merging;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{CardRow, Draft, HeldTokenRow};

/// A request to split a contact, because it is two people: the chosen identifiers and tokens go to a
/// new contact ([R58](crate::rulebook#r58)).
///
/// No merge is needed before. At least one identifier goes. The contact id stays, and so do the
/// fields.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// // A couple that shares an address.
/// let ann = TokenEntry::new("100200300").email("home@example.com").phone("380500000001");
/// let bob = TokenEntry::new("100200301").email("home@example.com");
/// store.add_tokens(AddTokens::new(bot).entry(ann).entry(bob)).wait()?;
/// let both = store.snapshot()?.by_email("home@example.com")?.ok_or("nobody")?;
/// assert_eq!(both.tokens.len(), 2);
///
/// let request = Split::new(both.id)
///     .identifier(IdentifierKind::Phone)
///     .subscriber(both.tokens[0].subscriber);
/// let split = store.split(request).wait()?.outcome;
/// let ann = store.snapshot()?.by_phone("380500000001")?.ok_or("nobody")?;
/// assert_eq!((ann.id, ann.tokens.len()), (split.contact, 1));
/// assert_ne!(ann.id, both.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    contact: ContactId,
    identifiers: KindSet,
    subscribers: BTreeSet<SubscriberId>,
    at: Option<Timestamp>,
}

impl Split {
    /// Makes a request to split `contact`, which names nothing to go yet.
    #[must_use]
    pub fn new(contact: ContactId) -> Self {
        Split {
            contact,
            identifiers: KindSet::EMPTY,
            subscribers: BTreeSet::new(),
            at: None,
        }
    }

    /// Adds the identifier of this kind to those that go.
    #[must_use]
    pub fn identifier(mut self, kind: IdentifierKind) -> Self {
        self.identifiers.insert(kind);
        self
    }

    /// Adds the token of this subscriber to those that go. Named again, it counts once.
    #[must_use]
    pub fn subscriber(mut self, subscriber: SubscriberId) -> Self {
        self.subscribers.insert(subscriber);
        self
    }

    /// Sets the time of the request, when the new contact counts as created. Without it, that is the
    /// time when the store gets the request ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    pub(crate) fn prepare(self, limits: Limits, clock: Timestamp) -> PreparedSplit {
        PreparedSplit {
            time: RequestTime::new(clock, self.at),
            request: self,
            limits,
        }
    }
}

impl Described for Split {
    fn describe(&self, to: &mut Description) {
        let Split {
            contact,
            identifiers,
            subscribers,
            at,
        } = self;
        let subscribers: Vec<SubscriberId> = subscribers.iter().copied().collect();
        to.parts(&[contact, identifiers, &subscribers.as_slice(), at]);
    }
}

/// The outcome of a split, or what it would be ([R58](crate::rulebook#r58)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitOff {
    /// The contact that was split.
    pub from: ContactId,
    /// The new contact. Of a preview, the id that it would get if no other contact is created first.
    pub contact: ContactId,
    /// The kinds of identifiers that went to it.
    pub identifiers: KindSet,
    /// The subscribers of the tokens that went to it, in the order in which they were on the card.
    pub tokens: Vec<SubscriberId>,
}

/// A request to split a contact, with the limits in force.
#[derive(Clone)]
pub(crate) struct PreparedSplit {
    request: Split,
    limits: Limits,
    time: RequestTime,
}

impl Operation for PreparedSplit {
    type Outcome = SplitOff;

    const KIND: OperationKind = OperationKind::Split;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<SplitOff>, Error> {
        let Split {
            contact,
            identifiers: kinds,
            subscribers,
            ..
        } = &self.request;
        let found = merging::contact(draft, *contact)?;
        let (from, before) = (found.id, found.card);
        if kinds.is_empty() {
            return Err(MergeError::NoIdentifier.into());
        }
        let has = before.identifiers.kinds();
        if let Some(kind) = kinds.iter().find(|kind| !has.contains(*kind)) {
            return Err(MergeError::NoSuchIdentifier {
                contact: from,
                kind,
            }
            .into());
        }
        let held = before.tokens.iter().map(|held| held.subscriber);
        let held: BTreeSet<SubscriberId> = held.collect();
        for subscriber in subscribers {
            if !held.contains(subscriber) || !merging::is_connected(draft, subscriber.app())? {
                return Err(MergeError::NotHeld {
                    contact: from,
                    subscriber: *subscriber,
                }
                .into());
            }
        }
        let goes = |held: &HeldTokenRow| subscribers.contains(&held.subscriber);
        let (tokens, left): (Vec<_>, Vec<_>) = before.tokens.iter().cloned().partition(goes);
        let after = CardRow {
            identifiers: before.identifiers.clone().without(*kinds),
            tokens: left,
            ..before.clone()
        };
        let card = CardRow {
            created_at: self.time.at(),
            created_through: None,
            identifiers: before
                .identifiers
                .clone()
                .without(after.identifiers.kinds()),
            fields: ContactFields::default(),
            tokens,
            last_change: None,
        };
        card_limits::check(draft, &self.limits, &card)?;
        let new = draft.assign_contact_id()?;
        let new = new.ok_or(MergeError::ContactIdsExhausted)?;
        // The contact that was split gives the identifiers free first.
        let cause = Cause::SplitOff(from);
        draft.write_card(from, Some(&before), Some(&after), cause)?;
        draft.write_card(new, None, Some(&card), cause)?;
        for held in &card.tokens {
            merging::change_holder(draft, held.subscriber, from, new)?;
        }
        Ok(Step::Done(SplitOff {
            from,
            contact: new,
            identifiers: *kinds,
            tokens: card.tokens.iter().map(|held| held.subscriber).collect(),
        }))
    }

    fn count(_: &SplitOff, tally: &mut Tally) {
        tally.entry(EntryOutcome::SplitOff);
    }
}
