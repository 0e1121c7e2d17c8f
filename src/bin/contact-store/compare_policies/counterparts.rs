//! Which contact of one store is which of the other.
//!
//! A contact that only one policy creates shifts every id that is assigned after it. So ids are not
//! compared: two contacts, one in each store, are counterparts when one entry led to both of them and
//! neither had a counterpart before. Mostly that is the entry that created both.
//!
//! Memory is taken for each contact that only one store has, and for each run of shifted ids between
//! two of these, not for each contact.

use std::collections::{BTreeMap, HashSet};

use contact_store::ContactId;

/// The counterparts of all contacts.
#[derive(Debug, Default)]
pub(crate) struct Counterparts {
    of_cascade: Side,
    of_top_priority: Side,
}

/// The counterparts of the contacts of one store.
#[derive(Debug, Default)]
struct Side {
    /// Contacts without one.
    alone: HashSet<u64>,
    /// Runs of ids by their first id. In none of them: the counterpart has the same id.
    runs: BTreeMap<u64, Run>,
}

/// Ids from the first to `last`, whose counterparts are `to` and the ids after it.
#[derive(Clone, Copy, Debug)]
struct Run {
    last: u64,
    to: u64,
}

impl Side {
    fn counterpart(&self, id: u64) -> Option<u64> {
        if self.alone.contains(&id) {
            return None;
        }
        match self.runs.range(..=id).next_back() {
            Some((first, run)) if id <= run.last => {
                Some(run.to.saturating_add(id.saturating_sub(*first)))
            }
            _ => Some(id),
        }
    }

    fn join(&mut self, id: u64, to: u64) {
        self.alone.remove(&id);
        if id == to {
            return;
        }
        let before = self.runs.range_mut(..id).next_back();
        match before {
            Some((first, run))
                if run.last.checked_add(1) == Some(id)
                    && run.to.checked_add(id.saturating_sub(*first)) == Some(to) =>
            {
                run.last = id;
            }
            _ => {
                self.runs.insert(id, Run { last: id, to });
            }
        }
    }
}

impl Counterparts {
    /// One entry created both.
    pub(crate) fn created_both(&mut self, cascade: ContactId, top_priority: ContactId) {
        let (cascade, top_priority) = (cascade.value(), top_priority.value());
        self.of_cascade.join(cascade, top_priority);
        self.of_top_priority.join(top_priority, cascade);
    }

    /// `cascade` alone created a contact.
    pub(crate) fn created_by_cascade(&mut self, contact: ContactId) {
        self.of_cascade.alone.insert(contact.value());
    }

    /// `topPriority` alone created a contact.
    pub(crate) fn created_by_top_priority(&mut self, contact: ContactId) {
        self.of_top_priority.alone.insert(contact.value());
    }

    /// One entry led to both: they are counterparts from now on, if neither has one.
    pub(crate) fn met(&mut self, cascade: ContactId, top_priority: ContactId) {
        let no_counterpart = self.of_cascade.alone.contains(&cascade.value())
            && self.of_top_priority.alone.contains(&top_priority.value());
        if no_counterpart {
            self.created_both(cascade, top_priority);
        }
    }

    /// Whether the contacts of two lists are counterparts, in any order.
    pub(crate) fn are_all(&self, cascade: &[ContactId], top_priority: &[ContactId]) -> bool {
        let sorted = |ids: &[ContactId]| {
            let mut ids: Vec<_> = ids.iter().map(|id| id.value()).collect();
            ids.sort_unstable();
            ids
        };
        let mapped = |side: &Side, ids: &[ContactId]| {
            let ids = ids.iter().map(|id| side.counterpart(id.value()));
            let mut ids = ids.collect::<Option<Vec<_>>>()?;
            ids.sort_unstable();
            Some(ids)
        };
        mapped(&self.of_cascade, cascade) == Some(sorted(top_priority))
            && mapped(&self.of_top_priority, top_priority) == Some(sorted(cascade))
    }
}

#[cfg(test)]
mod tests {
    use contact_store::ContactId;

    use super::Counterparts;

    fn id(id: u64) -> ContactId {
        ContactId::parse(&id.to_string()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn are(counterparts: &Counterparts, cascade: u64, top_priority: u64) -> bool {
        counterparts.are_all(&[id(cascade)], &[id(top_priority)])
    }

    #[test]
    fn contacts_that_one_entry_created_are_counterparts_whatever_their_ids() {
        let mut counterparts = Counterparts::default();
        counterparts.created_both(id(1), id(1));
        counterparts.created_by_top_priority(id(2));
        for shifted in 2..1_000 {
            counterparts.created_both(id(shifted), id(shifted + 1));
        }
        // An id of the host's own, among them.
        counterparts.created_both(id(5_000), id(5_000));
        counterparts.created_by_cascade(id(1_000));
        for even in 1_001..2_000 {
            counterparts.created_both(id(even), id(even));
        }
        assert!(are(&counterparts, 1, 1));
        assert!(!are(&counterparts, 2, 2));
        assert!(are(&counterparts, 2, 3));
        assert!(are(&counterparts, 999, 1_000));
        assert!(!are(&counterparts, 1_000, 1_000));
        assert!(are(&counterparts, 1_500, 1_500));
        assert!(are(&counterparts, 5_000, 5_000));
        assert_eq!(counterparts.of_cascade.runs.len(), 1);
        assert_eq!(counterparts.of_top_priority.runs.len(), 1);
    }

    #[test]
    fn contacts_without_a_counterpart_that_meet_are_counterparts_from_then_on() {
        let mut counterparts = Counterparts::default();
        counterparts.created_both(id(1), id(1));
        counterparts.created_by_top_priority(id(2));
        // One that has a counterpart does not get another.
        counterparts.met(id(1), id(2));
        assert!(!are(&counterparts, 1, 2) && are(&counterparts, 1, 1));
        counterparts.created_by_cascade(id(3));
        counterparts.met(id(3), id(2));
        assert!(are(&counterparts, 3, 2));
        assert!(counterparts.are_all(&[id(3), id(1)], &[id(1), id(2)]));
        assert!(!counterparts.are_all(&[id(3)], &[id(1)]));
        assert!(!counterparts.are_all(&[id(3)], &[]));
    }
}
