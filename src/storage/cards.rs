//! Cards that are kept in memory as their bytes, so that cards that are looked up often need no look
//! into the file.
//!
//! A card in a slot is as it was from some version of the store on, and until now: a commit empties
//! the slots of the cards that it changes before any reader can see its state. A snapshot that is not
//! the newest puts nothing in, and takes nothing that is newer than itself. A card that is looked up
//! often keeps its slot: another one takes it only after several look-ups of others. This module does not
//! know how a card is read.

use crate::model::identifier::ContactId;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A card of more bytes is not kept. With what else is in it, a slot fills five lines of the
/// processor's cache.
pub(super) const ROOM: usize = 288;
/// So many cards are kept out of the slot of another one before the next takes its place. Simulated with one
/// slot for five cards and look-ups by Zipf's law, 85 of 100 find their card, and 83 where the place is taken
/// at once; after look-ups drawn uniformly, 87 against 78.
pub(super) const KEEPS_OUT: u8 = 5;
/// Slots that come to be together.
const CHUNK: usize = 256;

/// A place for one card, in memory of its own: taking a card out touches no other.
#[derive(Default)]
#[repr(align(64))]
struct Slot(Mutex<Kept>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a card.
pub(super) struct Kept {
    /// Of the contact; 0 in an empty slot.
    id: u64,
    /// It has been so at least since this version.
    since: u64,
    len: u16,
    /// How many others were kept out since it was last taken out.
    kept_out: u8,
    bytes: [u8; ROOM],
}

impl Default for Kept {
    fn default() -> Self {
        Kept {
            id: 0,
            since: 0,
            len: 0,
            kept_out: 0,
            bytes: [0; ROOM],
        }
    }
}

impl Kept {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Takes these bytes, unless they are too many. Says whether it did.
    fn hold(&mut self, card: &[u8]) -> bool {
        let len = u16::try_from(card.len());
        let (Ok(len), Some(room)) = (len, self.bytes.get_mut(..card.len())) else {
            return false;
        };
        room.copy_from_slice(card);
        self.len = len;
        true
    }
}

/// Cards, by contact id.
pub(super) struct Cards {
    chunks: Vec<OnceLock<Box<[Slot]>>>,
    /// The version that the next snapshot to be published shows.
    version: AtomicU64,
    bytes: AtomicUsize,
}

impl Cards {
    /// Slots for as many cards as fit into `most_bytes` of memory.
    pub(super) fn new(most_bytes: usize) -> Self {
        let slots = most_bytes.checked_div(size_of::<Slot>());
        let chunks = slots.unwrap_or_default() / CHUNK;
        Cards {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
            version: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Bytes of memory that the slots take by now.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn slot(&self, id: ContactId, may_make: bool) -> Option<&Slot> {
        let number = usize::try_from(id.value()).unwrap_or(usize::MAX);
        let chunk = number.checked_div(CHUNK)?.checked_rem(self.chunks.len())?;
        let chunk = self.chunks.get(chunk)?;
        let slots = if may_make {
            chunk.get_or_init(|| {
                let bytes = CHUNK.saturating_mul(size_of::<Slot>());
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                (0..CHUNK).map(|_| Slot::default()).collect()
            })
        } else {
            chunk.get()?
        };
        slots.get(number.checked_rem(CHUNK)?)
    }

    /// The card of a contact as a snapshot of this version shows it, if it is kept.
    pub(super) fn get(&self, id: ContactId, version: u64) -> Option<Kept> {
        let mut kept = self.slot(id, false)?.lock();
        if kept.id != id.value() || kept.since > version {
            return None;
        }
        kept.kept_out = 0;
        // A copy: others who look for the same card need not wait until it is decoded. Only of the card:
        // the rest of the slot is in no cache of the processor.
        let mut card = Kept::default();
        card.hold(kept.bytes()).then_some(card)
    }

    /// Keeps a card that a snapshot of this version read, unless another one is looked up more often.
    pub(super) fn put(&self, id: ContactId, version: u64, card: &[u8]) {
        if card.len() > ROOM {
            return;
        }
        let Some(slot) = self.slot(id, true) else {
            return;
        };
        let mut kept = slot.lock();
        fence(Ordering::SeqCst);
        // Under the lock: a commit that changes the card moves the version first and empties the
        // slot after, so one of the two sees the other.
        if self.version.load(Ordering::SeqCst) != version {
            return;
        }
        if ![0, id.value()].contains(&kept.id) && kept.kept_out < KEEPS_OUT {
            kept.kept_out = kept.kept_out.saturating_add(1);
            return;
        }
        if kept.hold(card) {
            kept.id = id.value();
            kept.since = version;
            kept.kept_out = 0;
        }
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
            let mut kept = slot.lock();
            if kept.id == id.value() {
                kept.id = 0;
            }
        }
    }
}
