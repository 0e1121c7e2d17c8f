//! All that a store shows, to compare two of them.

use contact_store::{
    AccessKey, App, Card, MergedContact, MessageTally, SequenceNumber, Snapshot, Subscriber,
};

/// All that a snapshot shows.
#[derive(PartialEq)]
pub struct Everything {
    pub sequence: SequenceNumber,
    pub cards: Vec<Card>,
    merged: Vec<MergedContact>,
    apps: Vec<OfApp>,
}

#[derive(PartialEq)]
struct OfApp {
    app: App,
    key: Option<AccessKey>,
    subscribers: Vec<Subscriber>,
    messages: Vec<MessageTally>,
}

impl Everything {
    pub fn of(now: &Snapshot) -> Self {
        let of_app = |app: App| OfApp {
            key: now.access_key(app.id).unwrap(),
            subscribers: now
                .iter_subscribers(app.id)
                .collect::<Result<_, _>>()
                .unwrap(),
            messages: now.iter_messages(app.id).collect::<Result<_, _>>().unwrap(),
            app,
        };
        let cards: Vec<Card> = now.iter_contacts().collect::<Result<_, _>>().unwrap();
        let merged = cards
            .iter()
            .map(|card| now.merged_contacts(card.id).unwrap());
        Everything {
            sequence: now.sequence(),
            merged: merged.flatten().collect(),
            cards,
            apps: now.apps().unwrap().into_iter().map(of_app).collect(),
        }
    }
}
