//! The contacts that hold one token: nearly always one.
//!
//! This module does not know who may hold what.

use std::fmt;
use std::ops::Deref;
use std::slice;
use std::vec;

use crate::model::identifier::ContactId;

/// The contacts that hold a token, in the order in which they began to hold it: a slice of ids. A single one
/// takes no memory of its own.
#[derive(Clone)]
pub struct Holders(Ids);

#[derive(Clone)]
enum Ids {
    One(ContactId),
    /// Any number of them.
    Listed(Vec<ContactId>),
}

impl Holders {
    pub(crate) const NONE: Self = Holders(Ids::Listed(Vec::new()));

    pub(crate) fn one(id: ContactId) -> Self {
        Holders(Ids::One(id))
    }

    /// None, with room for so many.
    pub(crate) fn with_capacity(count: usize) -> Self {
        match count {
            0 | 1 => Holders::NONE,
            _ => Holders(Ids::Listed(Vec::with_capacity(count))),
        }
    }

    /// Removes all, and makes room for so many. Memory that it has stays.
    pub(crate) fn restart(&mut self, count: usize) {
        match &mut self.0 {
            Ids::Listed(ids) if ids.capacity() > 0 => {
                ids.clear();
                ids.reserve(count);
            }
            _ => *self = Holders::with_capacity(count),
        }
    }

    pub(crate) fn push(&mut self, id: ContactId) {
        match &mut self.0 {
            Ids::One(first) => self.0 = Ids::Listed(vec![*first, id]),
            Ids::Listed(ids) if ids.capacity() == 0 => self.0 = Ids::One(id),
            Ids::Listed(ids) => ids.push(id),
        }
    }

    pub(crate) fn insert(&mut self, place: usize, id: ContactId) {
        self.change(|ids| ids.insert(place, id));
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&ContactId) -> bool) {
        match &self.0 {
            Ids::One(id) if keep(id) => {}
            Ids::One(_) => *self = Holders::NONE,
            Ids::Listed(_) => self.change(|ids| ids.retain(keep)),
        }
    }

    pub(crate) fn iter_mut(&mut self) -> slice::IterMut<'_, ContactId> {
        match &mut self.0 {
            Ids::One(id) => slice::from_mut(id).iter_mut(),
            Ids::Listed(ids) => ids.iter_mut(),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<ContactId>)) {
        let mut ids = std::mem::replace(self, Holders::NONE).into_vec();
        change(&mut ids);
        *self = ids.into();
    }

    /// Returns them as a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<ContactId> {
        match self.0 {
            Ids::One(id) => vec![id],
            Ids::Listed(ids) => ids,
        }
    }
}

impl Deref for Holders {
    type Target = [ContactId];

    fn deref(&self) -> &[ContactId] {
        match &self.0 {
            Ids::One(id) => slice::from_ref(id),
            Ids::Listed(ids) => ids,
        }
    }
}

impl From<Vec<ContactId>> for Holders {
    fn from(ids: Vec<ContactId>) -> Self {
        match ids[..] {
            [id] => Holders::one(id),
            _ => Holders(Ids::Listed(ids)),
        }
    }
}

impl FromIterator<ContactId> for Holders {
    fn from_iter<I: IntoIterator<Item = ContactId>>(ids: I) -> Self {
        let mut holders = Holders::NONE;
        ids.into_iter().for_each(|id| holders.push(id));
        holders
    }
}

impl IntoIterator for Holders {
    type Item = ContactId;
    type IntoIter = vec::IntoIter<ContactId>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Holders {
    type Item = &'a ContactId;
    type IntoIter = slice::Iter<'a, ContactId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Holders {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Holders {}

impl<T: AsRef<[ContactId]>> PartialEq<T> for Holders {
    fn eq(&self, other: &T) -> bool {
        self[..] == *other.as_ref()
    }
}

impl fmt::Debug for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[u64]) -> Vec<ContactId> {
        of.iter()
            .filter_map(|id| ContactId::new(*id).ok())
            .collect()
    }

    #[test]
    fn holders_are_the_list_that_the_same_calls_make() {
        // Every sequence of five calls, each beside a list.
        for sequence in 0..4_usize.pow(5) {
            let (mut holders, mut list) = (Holders::NONE, Vec::new());
            for (step, id) in (0..5).zip(ids(&[4, 7, 2, 9, 6])) {
                match sequence >> (2 * step) & 3 {
                    0 => {
                        holders.push(id);
                        list.push(id);
                    }
                    1 => {
                        holders.insert(0, id);
                        list.insert(0, id);
                    }
                    2 => {
                        let alike = |held: &ContactId| held.value() % 2 == id.value() % 2;
                        holders.retain(alike);
                        list.retain(alike);
                    }
                    _ => {
                        for all in [holders.iter_mut(), list.iter_mut()] {
                            all.for_each(|held| *held = (*held).max(id));
                        }
                    }
                }
                assert_eq!(holders, list, "sequence {sequence}, step {step}");
                assert_eq!(holders, Holders::from(list.clone()));
                assert_eq!(holders, list.iter().copied().collect::<Holders>());
                assert_eq!(holders.clone().into_vec(), list);
                assert_eq!(format!("{holders:?}"), format!("{list:?}"));
            }
        }
    }

    #[test]
    fn one_holder_takes_no_memory_of_its_own() {
        let one = |holders: &Holders| matches!(holders.0, Ids::One(_));
        let mut holders = Holders::with_capacity(1);
        ids(&[5]).into_iter().for_each(|id| holders.push(id));
        assert!(one(&holders));
        ids(&[6]).into_iter().for_each(|id| holders.push(id));
        assert!(!one(&holders));
        holders.retain(|id| id.value() == 6);
        assert!(one(&holders));
        assert_eq!(holders, ids(&[6]));
        for count in [0, 1, 2, 1, 0] {
            let all = ids(&[7, 8]);
            let all = all.get(..count).unwrap_or_default();
            holders.restart(count);
            all.iter().for_each(|id| holders.push(*id));
            assert_eq!(holders, all);
        }
    }
}
