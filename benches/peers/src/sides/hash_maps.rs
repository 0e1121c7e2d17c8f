//! Two `HashMap`s in memory, identifier to contact and contact to card: the most that finds could
//! reach. Nothing is durable, and only finds are measured.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;

use super::{Counts, Reader, Side};
use crate::people::{Entry, Given, Known};

#[derive(Default)]
pub struct HashMaps(RwLock<Maps>);

#[derive(Default)]
struct Maps {
    /// By kind and text.
    identifiers: HashMap<String, u64>,
    cards: HashMap<u64, Known>,
}

const KINDS: [char; 3] = ['x', 'p', 'e'];

impl Side for HashMaps {
    fn add(&self, entries: Vec<Entry>) {
        let mut maps = self.0.write().unwrap();
        for entry in entries {
            let id = maps.cards.len() as u64 + 1;
            let texts = [&entry.external_id, &entry.phone, &entry.email];
            for (kind, text) in KINDS.into_iter().zip(texts) {
                let earlier = maps.identifiers.insert(format!("{kind}{text}"), id);
                assert_eq!(earlier, None, "it is filled with strangers alone");
            }
            let card = Known {
                external_id: Some(entry.external_id),
                phone: Some(entry.phone),
                email: Some(entry.email),
                tokens: vec![entry.token],
            };
            maps.cards.insert(id, card);
        }
    }

    fn failed(&self, _: Vec<String>) -> usize {
        unreachable!("only finds are measured")
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut MapsReader {
            maps: &self.0,
            key: String::new(),
        });
    }

    fn close(self: Box<Self>) {}
}

struct MapsReader<'a> {
    maps: &'a RwLock<Maps>,
    key: String,
}

impl Reader for MapsReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        self.found(given).map(|(id, _)| id)
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        let maps = self.maps.read().unwrap();
        black_box(maps.cards.get(&id).cloned()).map(|_| id)
    }

    fn subscriber(&mut self, _: &str) -> Option<u64> {
        unreachable!("only finds of contacts are measured")
    }

    fn page(&mut self, _: Option<u64>, _: usize, _: &mut dyn FnMut(u64, &str)) {
        unreachable!("only finds are measured")
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        self.found(given).map(|(_, card)| card)
    }

    fn counts(&mut self) -> Counts {
        let contacts = self.maps.read().unwrap().cards.len() as u64;
        Counts {
            subscribers: contacts,
            contacts,
            removed_by_failed: 0,
        }
    }
}

impl MapsReader<'_> {
    /// A card of the caller's own, as every side gives it.
    fn found(&mut self, given: &Given) -> Option<(u64, Known)> {
        let maps = self.maps.read().unwrap();
        let texts = [&given.external_id, &given.phone, &given.email];
        let id = KINDS.into_iter().zip(texts).find_map(|(kind, text)| {
            self.key.clear();
            self.key.push(kind);
            self.key.push_str(text.as_ref()?);
            maps.identifiers.get(&self.key)
        })?;
        let card = maps.cards.get(id).cloned();
        Some((*id, black_box(card)?))
    }
}
