//! Iterators over whole listings, which read a page at a time.
//!
//! This module does not know what is listed or how a page is read.

use std::vec;

use crate::error::Error;
use crate::model::contact::Card;
use crate::model::identifier::ContactId;

/// One page of the contacts of an app ([R56](crate::rulebook#r56)), from
/// [`Snapshot::contacts_of`](crate::Snapshot::contacts_of).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactPage {
    /// The contacts found, in order of id. There may be fewer than the limit, or none, with more to
    /// come.
    pub contacts: Vec<Card>,
    /// The `after` of the next page. `None` when there are no more contacts.
    pub next: Option<ContactId>,
}

/// One page of rows, and the `after` of the next page.
pub(crate) type Page<T, K> = Result<(Vec<T>, Option<K>), Error>;

/// All rows of a listing, read in pages.
pub(crate) struct Paged<T, K, F> {
    read: F,
    page: vec::IntoIter<T>,
    next: Next<K>,
}

enum Next<K> {
    First,
    After(K),
    Ended,
}

impl<T, K, F: FnMut(Option<K>) -> Page<T, K>> Paged<T, K, F> {
    pub(crate) fn new(read: F) -> Self {
        Paged {
            read,
            page: Vec::new().into_iter(),
            next: Next::First,
        }
    }
}

impl<T, K, F: FnMut(Option<K>) -> Page<T, K>> Iterator for Paged<T, K, F> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.page.next() {
                return Some(Ok(row));
            }
            // An error is the last item.
            let after = match std::mem::replace(&mut self.next, Next::Ended) {
                Next::First => None,
                Next::After(last) => Some(last),
                Next::Ended => return None,
            };
            match (self.read)(after) {
                Ok((page, next)) => {
                    self.page = page.into_iter();
                    self.next = next.map_or(Next::Ended, Next::After);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the numbers below 5, two at a time, failing at `bad`.
    fn numbers(bad: Option<u8>) -> Vec<Result<u8, &'static str>> {
        let paged = Paged::new(|after: Option<u8>| {
            let first = after.map_or(0, |after| after.saturating_add(1));
            if bad == Some(first) {
                return Err(Error::Closed);
            }
            let page: Vec<u8> = (first..5).take(2).collect();
            let next = (page.len() == 2).then(|| page.last().copied()).flatten();
            Ok((page, next))
        });
        paged.map(|row| row.map_err(|_| "failed")).collect()
    }

    #[test]
    fn all_pages_are_read_one_after_the_other() {
        assert_eq!(numbers(None), [0, 1, 2, 3, 4].map(Ok));
    }

    #[test]
    fn an_error_is_the_last_item() {
        assert_eq!(numbers(Some(2)), [Ok(0), Ok(1), Err("failed")]);
        assert_eq!(numbers(Some(0)), [Err("failed")]);
    }
}
