//! Recipients, written from R39 by scanning the cards.

use contact_store::{
    Address, AppId, ContactId, Error, GivenRecipient, RecipientError, Snapshot, SubscriberId,
};

use super::request::Refused;
use super::{Model, Names};

/// A recipient as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    pub subscriber: Option<u64>,
    pub app: Option<AppId>,
    pub number: Option<u64>,
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

/// What a store answers.
pub fn resolve(now: &Snapshot, whom: &Whom) -> Result<Vec<Reached>, Refused> {
    let resolved = || -> Result<Vec<Address>, Error> { now.resolve(&whom.to_given().parse()?) };
    let addresses = resolved()?.into_iter();
    Ok(addresses.map(Reached::from).collect())
}

impl Model {
    /// With a subscriber, the other two are ignored; without one they go together.
    pub(super) fn resolve(&self, whom: &Whom) -> Result<Vec<Reached>, Refused> {
        if let Some(id) = whom.subscriber {
            let known = self.subscribers.iter().find(|known| known.id == id);
            let unknown = RecipientError::UnknownSubscriber(SubscriberId::new(id));
            let known = known.ok_or(Refused::Recipient(unknown))?;
            return Ok(vec![Reached {
                app: known.app,
                token: known.token.clone(),
                subscriber: id,
                contact: known.holders[0],
            }]);
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
        let reached: Vec<Reached> = held
            .map(|held| Reached {
                app,
                token: held.token.clone(),
                subscriber: held.subscriber,
                contact: card.id,
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
