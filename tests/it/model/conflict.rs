//! The list of conflicts, written from R61.

use contact_store::{ConflictDismissed, IdentifierKind, KindSet};

use super::request::Outcome;
use super::view::Names;
use super::{Model, Target};

/// A pair of contacts on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The smaller id and the larger, each with the kinds that named it.
    pub sides: [(u64, KindSet); 2],
    pub count: u64,
    pub first_at: u64,
    pub last_at: u64,
}

impl Listed {
    pub(super) fn once(mut sides: [(u64, KindSet); 2], at: u64) -> Self {
        sides.sort_by_key(|(id, _)| *id);
        Listed {
            sides,
            count: 1,
            first_at: at,
            last_at: at,
        }
    }

    pub fn pair(&self) -> (u64, u64) {
        (self.sides[0].0, self.sides[1].0)
    }
}

fn both(one: KindSet, other: KindSet) -> KindSet {
    one.iter().chain(other.iter()).collect()
}

impl Model {
    /// Lists a pair, or joins it with the same one.
    pub(super) fn list(&mut self, seen: Listed) {
        let is_full = self.conflicts.len() >= self.settings.conflicts;
        match self
            .conflicts
            .iter_mut()
            .find(|it| it.pair() == seen.pair())
        {
            Some(listed) => {
                for (side, (_, kinds)) in listed.sides.iter_mut().zip(seen.sides) {
                    side.1 = both(side.1, kinds);
                }
                listed.count += seen.count;
                listed.first_at = listed.first_at.min(seen.first_at);
                listed.last_at = listed.last_at.max(seen.last_at);
            }
            None if is_full => {}
            None => self.conflicts.push(seen),
        }
        self.conflicts.sort_by_key(Listed::pair);
    }

    /// What an accepted entry of add-tokens leaves.
    pub(super) fn list_of_entry(&mut self, target: &Target, names: &Names, at: u64) {
        if self.settings.conflicts == 0 {
            return;
        }
        let named_by: KindSet = match target.matched_by {
            Some(by) => by.into(),
            None => names.without(target.skipped).kinds(),
        };
        let mut others: Vec<(u64, KindSet)> = Vec::new();
        for kind in names.kinds().iter() {
            let Some(other) = self.named(names, kind).map(|card| card.id) else {
                continue;
            };
            if other == target.contact {
                continue;
            }
            match others.iter_mut().find(|(id, _)| *id == other) {
                Some((_, kinds)) => kinds.insert(kind),
                None => others.push((other, kind.into())),
            }
        }
        for other in others {
            self.list(Listed::once([(target.contact, named_by), other], at));
        }
    }

    /// What an item of an upsert leaves that is refused with a conflict.
    pub(super) fn list_of_item(
        &mut self,
        (found, by): (u64, IdentifierKind),
        (owner, kind): (u64, IdentifierKind),
        at: u64,
    ) {
        if self.settings.conflicts > 0 && found != owner {
            let sides = [(found, by.into()), (owner, kind.into())];
            self.list(Listed::once(sides, at));
        }
    }

    pub(super) fn move_conflicts(&mut self, from: u64, into: u64) {
        let (moving, staying) = std::mem::take(&mut self.conflicts)
            .into_iter()
            .partition(|it| it.pair().0 == from || it.pair().1 == from);
        self.conflicts = staying;
        let most = std::mem::replace(&mut self.settings.conflicts, usize::MAX);
        for mut pair in Vec::into_iter(moving) {
            for side in &mut pair.sides {
                if side.0 == from {
                    side.0 = into;
                }
            }
            pair.sides.sort_by_key(|(id, _)| *id);
            if pair.pair().0 != pair.pair().1 {
                self.list(pair);
            }
        }
        self.settings.conflicts = most;
    }

    pub(super) fn dismiss(&mut self, one: u64, other: u64) -> bool {
        let [one, other] = [one, other].map(|id| self.present(id).unwrap_or(id));
        let pair = (one.min(other), one.max(other));
        let before = self.conflicts.len();
        self.conflicts.retain(|listed| listed.pair() != pair);
        self.conflicts.len() < before
    }
}

impl From<ConflictDismissed> for Outcome {
    fn from(dismissed: ConflictDismissed) -> Self {
        Outcome::Dismissed(match dismissed {
            ConflictDismissed::Dismissed => true,
            ConflictDismissed::NotListed => false,
            other => unreachable!("{other:?} is new to the model"),
        })
    }
}
