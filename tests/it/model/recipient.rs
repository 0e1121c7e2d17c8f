//! Recipients, written from R39 and R59 by scanning the cards.

use contact_store::{
    Address, AppId, ContactId, Error, GivenRecipient, LeftOut, RecipientError, Resolve, Resolved,
    Snapshot, SubscriberId, Timestamp,
};

use super::request::Refused;
use super::view::MutedUntil;
use super::{Model, Names};

/// A recipient as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    pub subscriber: Option<u64>,
    pub app: Option<AppId>,
    pub number: Option<u64>,
    /// Whether muted subscribers are reached too.
    pub include_muted: bool,
    /// The time at which a mute counts.
    pub at: u64,
}

impl Whom {
    fn to_given(&self) -> GivenRecipient {
        let mut given = GivenRecipient::new();
        if let Some(id) = self.subscriber {
            given = given.subscriber(SubscriberId::new(id));
        }
        if let Some(app) = self.app {
            given = given.app(app);
        }
        if let Some(number) = self.number {
            given = given.number(number.to_string());
        }
        given
    }
}

/// Where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub app: AppId,
    pub token: String,
    pub subscriber: u64,
    pub contact: u64,
}

impl From<Address> for Reached {
    fn from(address: Address) -> Self {
        Reached {
            app: address.app,
            token: address.token.as_str().to_owned(),
            subscriber: address.subscriber.value(),
            contact: address.contact.value(),
        }
    }
}

/// A subscriber that is left out: it, the contact, and when its mute ends.
type Muted = (u64, u64, MutedUntil);

/// Where a message goes, and who is left out.
pub type Reaching = (Vec<Reached>, Vec<Muted>);

/// What a store answers.
pub fn resolve(now: &Snapshot, whom: &Whom) -> Result<Reaching, Refused> {
    let resolved = || -> Result<Resolved, Error> {
        let request = Resolve::new(whom.to_given().parse()?)
            .include_muted(whom.include_muted)
            .at(Timestamp::from_millis(whom.at));
        now.resolve(request)
    };
    let Resolved {
        addresses, muted, ..
    } = resolved()?;
    let left_out = |out: LeftOut| {
        let until = out.until.into();
        (out.subscriber.value(), out.contact.value(), until)
    };
    Ok((
        addresses.into_iter().map(Reached::from).collect(),
        muted.into_iter().map(left_out).collect(),
    ))
}

impl Model {
    /// With a subscriber, the other two are ignored; without one they go together.
    pub(super) fn resolve(&self, whom: &Whom) -> Result<Reaching, Refused> {
        let (mut reached, mut left_out) = (Vec::new(), Vec::new());
        for (address, muted) in self.reached(whom)? {
            match muted.filter(|_| MutedUntil::counts(muted, whom.at) && !whom.include_muted) {
                Some(until) => left_out.push((address.subscriber, address.contact, until)),
                None => reached.push(address),
            }
        }
        Ok((reached, left_out))
    }

    /// Everyone that the recipient means, with the mute that it has.
    fn reached(&self, whom: &Whom) -> Result<Vec<(Reached, Option<MutedUntil>)>, Refused> {
        if let Some(id) = whom.subscriber {
            let known = self.subscribers.iter().find(|known| known.id == id);
            let unknown = RecipientError::UnknownSubscriber(SubscriberId::new(id));
            let known = known.ok_or(Refused::Recipient(unknown))?;
            let reached = Reached {
                app: known.app,
                token: known.token.clone(),
                subscriber: id,
                contact: known.holders[0],
            };
            return Ok(vec![(reached, known.muted)]);
        }
        let (app, number) = match (whom.app, whom.number) {
            (Some(app), Some(number)) => (app, number),
            (Some(_), None) => return Err(Refused::Recipient(RecipientError::AppWithoutNumber)),
            (None, Some(_)) => return Err(Refused::Recipient(RecipientError::NumberWithoutApp)),
            (None, None) => return Err(Refused::Recipient(RecipientError::NothingGiven)),
        };
        self.connected(app)?;
        let has_number = |names: &Names| names.phone == Some(number);
        let card = self.cards.iter().find(|card| has_number(&card.names));
        let card = card.ok_or(Refused::Recipient(RecipientError::UnknownContact))?;
        let held = card.tokens.iter().filter(|held| held.app == app);
        let reached: Vec<_> = held
            .map(|held| {
                let known = self.by_token(app, &held.token);
                let reached = Reached {
                    app,
                    token: held.token.clone(),
                    subscriber: held.subscriber,
                    contact: card.id,
                };
                (reached, known.and_then(|known| known.muted))
            })
            .collect();
        if reached.is_empty() {
            let contact = ContactId::new(card.id).expect("it is the id of a card");
            let none = RecipientError::NoToken { contact, app };
            return Err(Refused::Recipient(none));
        }
        Ok(reached)
    }
}
