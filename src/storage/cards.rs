//! Decoded cards that are kept in memory, so that those who are looked up often are decoded once.
//!
//! A card in a slot is as it was from some version of the store on, and until now: a commit empties
//! the slots of the cards that it changes before anybody can see its state. A snapshot that is not
//! the newest puts nothing in, and takes nothing that is newer than itself. This module does not
//! know how a card is read.

use crate::identifier::ContactId;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Mutex, PoisonError};

use std::sync::OnceLock;

use super::rows::CardRow;

/// A card that takes more memory is not kept: so the slots bound the memory.
const MOST_BYTES_OF_CARD: usize = 1_024;
/// Slots that come to be together.
const CHUNK: usize = 256;

type Slot = Mutex<Option<Kept>>;

struct Kept {
    id: ContactId,
    /// It has been so at least since this version.
    since: u64,
    card: Arc<CardRow>,
    bytes: usize,
}

/// Decoded cards, by contact id.
pub(super) struct Cards {
    chunks: Vec<OnceLock<Box<[Slot]>>>,
    /// The version that the next snapshot to be published shows.
    version: AtomicU64,
    bytes: AtomicUsize,
}

impl Cards {
    /// Room for cards that take at most about so many bytes of memory.
    pub(super) fn new(most_bytes: usize) -> Self {
        let chunks = most_bytes / MOST_BYTES_OF_CARD / CHUNK;
        Cards {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
            version: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Bytes of memory that the cards take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn slot(&self, id: ContactId, may_make: bool) -> Option<&Slot> {
        let number = usize::try_from(id.value()).unwrap_or(usize::MAX);
        let chunk = number.checked_div(CHUNK)?.checked_rem(self.chunks.len())?;
        let chunk = self.chunks.get(chunk)?;
        let slots = if may_make {
            chunk.get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect())
        } else {
            chunk.get()?
        };
        slots.get(number.checked_rem(CHUNK)?)
    }

    /// The card of a contact as a snapshot of this version shows it, if it is kept.
    pub(super) fn get(&self, id: ContactId, version: u64) -> Option<Arc<CardRow>> {
        let slot = self.slot(id, false)?.lock();
        let kept = slot.unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        (kept.id == id && kept.since <= version).then(|| Arc::clone(&kept.card))
    }

    /// Keeps a card that a snapshot of this version read.
    pub(super) fn put(&self, id: ContactId, version: u64, card: &Arc<CardRow>) {
        let bytes = memory_of(card);
        if bytes > MOST_BYTES_OF_CARD {
            return;
        }
        let Some(slot) = self.slot(id, true) else {
            return;
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        fence(Ordering::SeqCst);
        // Under the lock: a commit that changes the card moves the version first and empties the
        // slot after, so one of the two sees the other.
        if self.version.load(Ordering::SeqCst) != version {
            return;
        }
        let before = slot.replace(Kept {
            id,
            since: version,
            card: Arc::clone(card),
            bytes,
        });
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.forget(before.as_ref());
        drop(slot);
        drop(before);
    }

    /// Makes this version the newest, in which these cards have changed.
    pub(super) fn advance(&self, version: u64, changed: impl Iterator<Item = ContactId>) {
        self.version.store(version, Ordering::SeqCst);
        // A slot that comes to be after this sees the version.
        fence(Ordering::SeqCst);
        for id in changed {
            let Some(slot) = self.slot(id, false) else {
                continue;
            };
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.as_ref().is_some_and(|kept| kept.id == id) {
                self.forget(slot.take().as_ref());
            }
        }
    }

    fn forget(&self, kept: Option<&Kept>) {
        let bytes = kept.map_or(0, |kept| kept.bytes);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of memory that a card takes, the allocator's own not counted.
fn memory_of(card: &CardRow) -> usize {
    let tokens = card.tokens.iter().map(|held| held.token.as_str().len());
    let tokens_text = tokens.fold(0, usize::saturating_add);
    let held = size_of::<super::rows::HeldTokenRow>();
    size_of::<CardRow>()
        .saturating_add(card.identifiers.text_len())
        .saturating_add(card.fields.text_len())
        // Two strings and their place in the map.
        .saturating_add(card.fields.custom.len().saturating_mul(96))
        .saturating_add(card.tokens.len().saturating_mul(held))
        .saturating_add(tokens_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::ContactFields;
    use crate::identifier::Identifiers;
    use crate::time::Timestamp;

    fn card(created_at: u64) -> Arc<CardRow> {
        Arc::new(CardRow {
            created_at: Timestamp::from_millis(created_at),
            created_through: None,
            identifiers: Identifiers::default(),
            fields: ContactFields::default(),
            tokens: Vec::new(),
        })
    }

    const ID: ContactId = match ContactId::new(1) {
        Ok(id) => id,
        Err(_) => panic!(),
    };

    fn id(value: u64) -> ContactId {
        ContactId::new(value).unwrap_or(ID)
    }

    #[test]
    fn a_card_is_shown_from_its_version_on_until_a_commit_changes_it() {
        let cards = Cards::new(1 << 20);
        cards.advance(5, std::iter::empty());
        cards.put(id(1), 5, &card(10));
        assert!(cards.get(id(1), 4).is_none(), "an older snapshot");
        assert!(cards.get(id(1), 5).is_some_and(|kept| kept == card(10)));
        assert!(cards.get(id(1), 6).is_some_and(|kept| kept == card(10)));
        assert!(cards.get(id(2), 5).is_none());
        cards.advance(6, [id(2)].into_iter());
        assert!(cards.get(id(1), 6).is_some());
        cards.advance(7, [id(1)].into_iter());
        assert!(cards.get(id(1), 6).is_none() && cards.get(id(1), 7).is_none());
        assert_eq!(cards.bytes(), 0);
        cards.put(id(1), 6, &card(10));
        assert!(cards.get(id(1), 7).is_none(), "put by an older snapshot");
        cards.put(id(1), 7, &card(11));
        assert!(cards.get(id(1), 7).is_some_and(|kept| kept == card(11)));
    }

    #[test]
    fn without_room_nothing_is_kept_and_a_large_card_never_is() {
        let none = Cards::new(0);
        none.put(id(1), 0, &card(1));
        assert!(none.get(id(1), 0).is_none());
        let some = Cards::new(1 << 20);
        let mut large = (*card(1)).clone();
        large.fields.first_name = Some("x".repeat(1_000));
        some.put(id(1), 0, &Arc::new(large));
        assert!(some.get(id(1), 0).is_none());
        // Another contact in the same slot takes its place.
        some.put(id(1), 0, &card(1));
        some.put(id(1 + 1_024), 0, &card(2));
        assert!(some.get(id(1), 0).is_none());
        assert!(some.get(id(1 + 1_024), 0).is_some());
    }
}
