//! A reader of the change feed that has nothing but the feed and the cards that it names (R60).

use std::collections::BTreeMap;

use contact_store::{Card, ChangePosition, Changed, ContactId, Error, Snapshot};

use super::script::show_card;

/// A copy of all cards.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    cards: BTreeMap<ContactId, Card>,
    /// `None` before the first change.
    read_to: Option<ChangePosition>,
}

impl Follower {
    pub fn read_to(&self) -> ChangePosition {
        self.read_to.unwrap_or(ChangePosition::START)
    }

    /// Reads all changes of a snapshot, in pages of `limit`.
    #[track_caller]
    pub fn follow(&mut self, now: &Snapshot, limit: usize) {
        while self.read_page(now, limit).unwrap() {}
        assert!(self.read_to() <= now.newest_change());
    }

    /// Reads one page. Answers whether there is more.
    #[track_caller]
    pub fn read_page(&mut self, now: &Snapshot, limit: usize) -> Result<bool, Error> {
        let before = self.read_to();
        let page = now.changes(before, limit)?;
        let mut last = before;
        for change in &page.changes {
            assert!(last < change.position, "{change:?} after {last}");
            last = change.position;
            self.take(now, change.what);
        }
        assert!(last <= page.position && page.position <= now.newest_change());
        self.read_to = Some(page.position);
        Ok(page.more)
    }

    fn take(&mut self, now: &Snapshot, changed: Changed) {
        if let Some(contact) = changed.contact() {
            // The id of a merged contact leads to another (R58).
            let card = now.contact(contact).unwrap();
            match card.filter(|card| card.id == contact) {
                Some(card) => drop(self.cards.insert(contact, card)),
                None => drop(self.cards.remove(&contact)),
            }
        }
        match changed {
            Changed::ContactErased { contact } => {
                assert_eq!(now.contact(contact).unwrap(), None);
            }
            // It says so for all of its tokens.
            Changed::AppDisconnected { app } => {
                for card in self.cards.values_mut() {
                    card.tokens.retain(|held| held.app != app);
                }
            }
            _ => {}
        }
    }

    /// Begins anew, with all contacts of a snapshot.
    pub fn begin_anew(&mut self, now: &Snapshot) {
        self.read_to = Some(now.newest_change());
        let cards = now.iter_contacts().map(|card| card.unwrap());
        self.cards = cards.map(|card| (card.id, card)).collect();
    }

    /// It has the cards of the snapshot.
    #[track_caller]
    pub fn assert_sees(&self, now: &Snapshot) {
        if let Err(difference) = self.compare(now) {
            panic!("{difference}");
        }
    }

    /// Whether it has the cards of the snapshot.
    pub fn compare(&self, now: &Snapshot) -> Result<(), String> {
        let cards = now.iter_contacts().map(|card| show_card(&card.unwrap()));
        let cards: Vec<String> = cards.collect();
        if self.cards() == cards {
            return Ok(());
        }
        Err(format!(
            "a follower has {:#?}, not {cards:#?}",
            self.cards()
        ))
    }

    /// The cards as scripts show them, in order of id.
    pub fn cards(&self) -> Vec<String> {
        self.cards.values().map(show_card).collect()
    }
}
