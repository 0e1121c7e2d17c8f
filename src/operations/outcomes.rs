//! The outcomes of a batch: one for each entry, in order (R23).
//!
//! This module does not know what an entry is.

use std::ops::Deref;

use crate::error::{EntryError, NotSingle};

/// The outcomes of the entries of one request, in the order of the entries
/// ([R23](crate::rulebook#r23)).
///
/// It dereferences to a slice of `Result`s, with `len`, `get`, `iter` and so on. A caller that
/// wants all of them or an error calls [`all`](Outcomes::all). A caller that sent a single entry
/// calls [`into_single`](Outcomes::into_single).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// let ann = ContactUpdate::new().email("ann@example.com");
/// let nobody = ContactUpdate::new();
/// let request = Upsert::new(DedupeOn::Email).contact(ann.clone()).contact(nobody);
/// let outcomes = store.upsert(request).wait()?.outcome;
/// assert_eq!(outcomes.len(), 2);
/// for (place, outcome) in outcomes.iter().enumerate() {
///     match outcome {
///         Ok(upserted) => println!("{place}: contact {}", upserted.contact),
///         Err(error) => println!("{place}: {error}"),
///     }
/// }
/// assert_eq!(outcomes.first_refused(), Some((1, &EntryError::NothingToFindBy)));
/// assert_eq!(outcomes.all(), Err(EntryError::NothingToFindBy));
///
/// let outcome = store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?.outcome;
/// assert_eq!(outcome.into_single()?.card, CardChange::Unchanged);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes<T> {
    entries: Vec<Result<T, EntryError>>,
}

impl<T> Outcomes<T> {
    pub(crate) fn new(entries: Vec<Result<T, EntryError>>) -> Self {
        Outcomes { entries }
    }

    /// Returns the outcomes of all entries, if none was refused.
    ///
    /// # Errors
    ///
    /// The error of the first refused entry. The accepted entries are in the store nevertheless.
    /// (In the mode [`BatchMode::AllOrNothing`](crate::BatchMode::AllOrNothing) a refused entry
    /// fails the whole request, and there are no outcomes.)
    pub fn all(self) -> Result<Vec<T>, EntryError> {
        self.entries.into_iter().collect()
    }

    /// Returns the index of the first refused entry, counted from 0, and its error.
    #[must_use]
    pub fn first_refused(&self) -> Option<(usize, &EntryError)> {
        let places = self.entries.iter().enumerate();
        places
            .filter_map(|(place, entry)| Some((place, entry.as_ref().err()?)))
            .next()
    }

    /// Returns the outcome of a request with a single entry.
    ///
    /// # Errors
    ///
    /// [`NotSingle::Refused`] when the entry was refused; [`NotSingle::Count`] when the request did
    /// not have exactly one entry.
    pub fn into_single(self) -> Result<T, NotSingle> {
        let entries = self.entries.len();
        match (entries, self.entries.into_iter().next()) {
            (1, Some(entry)) => entry.map_err(NotSingle::Refused),
            _ => Err(NotSingle::Count { entries }),
        }
    }

    /// Returns the outcomes as a vector.
    #[must_use]
    pub fn into_vec(self) -> Vec<Result<T, EntryError>> {
        self.entries
    }
}

impl<T> Deref for Outcomes<T> {
    type Target = [Result<T, EntryError>];

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl<T> IntoIterator for Outcomes<T> {
    type Item = Result<T, EntryError>;
    type IntoIter = std::vec::IntoIter<Result<T, EntryError>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Outcomes<T> {
    type Item = &'a Result<T, EntryError>;
    type IntoIter = std::slice::Iter<'a, Result<T, EntryError>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl<T: PartialEq, const N: usize> PartialEq<[Result<T, EntryError>; N]> for Outcomes<T> {
    fn eq(&self, other: &[Result<T, EntryError>; N]) -> bool {
        self.entries == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r23_a_single_outcome_is_that_of_a_request_with_one_entry() {
        let refused = || Err(EntryError::NoIdentifier);
        assert_eq!(Outcomes::new(vec![Ok(7)]).into_single(), Ok(7));
        let entry = Outcomes::<u8>::new(vec![refused()]).into_single();
        assert_eq!(entry, Err(NotSingle::Refused(EntryError::NoIdentifier)));
        for entries in [vec![], vec![Ok(1), Ok(2)], vec![Ok(1), refused()]] {
            let count = NotSingle::Count {
                entries: entries.len(),
            };
            assert_eq!(Outcomes::new(entries).into_single(), Err(count));
        }
    }

    #[test]
    fn r23_all_gives_the_accepted_or_the_first_refusal() {
        let some = Outcomes::new(vec![
            Ok(1),
            Err(EntryError::NoIdentifier),
            Err(EntryError::UnknownContactId),
        ]);
        assert_eq!(some.first_refused(), Some((1, &EntryError::NoIdentifier)));
        assert_eq!(some.all(), Err(EntryError::NoIdentifier));
        assert_eq!(Outcomes::new(vec![Ok(1), Ok(2)]).all(), Ok(vec![1, 2]));
        assert_eq!(Outcomes::<u8>::new(vec![]).all(), Ok(vec![]));
    }
}
