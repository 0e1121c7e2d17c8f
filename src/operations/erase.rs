//! Erasing a contact (R44), and suppressing its identifiers (R65).

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::change::Cause;
use crate::model::identifier::{ContactId, Identifiers, KindSet};
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    Draft, Failure, FoundCard, Rows as _, SubscriberRow, contact_with_id, find_card, merges_of,
};

/// A request to erase a contact ([R44](crate::rulebook#r44)). A contact id is one by itself, which
/// suppresses nothing.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// let ann = || ContactUpdate::new().email("ann@example.com");
/// let upsert = || store.upsert(Upsert::new(DedupeOn::Email).contact(ann())).wait();
/// let contact = upsert()?.outcome.into_single()?.contact;
/// let erased = store.erase(Erase::new(contact).suppress()).wait()?.outcome;
/// assert!(erased.erased && erased.suppressed.contains(IdentifierKind::Email));
/// // An old list that still has the address brings nobody back.
/// let kind = IdentifierKind::Email;
/// assert_eq!(upsert()?.outcome.all(), Err(EntryError::Suppressed { kind }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erase {
    contact: ContactId,
    suppress: bool,
}

impl Erase {
    /// Makes a request to erase a contact.
    #[must_use]
    pub fn new(contact: ContactId) -> Self {
        Erase {
            contact,
            suppress: false,
        }
    }

    /// Also suppresses the identifiers that are erased ([R65](crate::rulebook#r65)): entries and items
    /// that name one are refused, until
    /// [`lift_suppression`](crate::ContactStore::lift_suppression) lifts that.
    #[must_use]
    pub fn suppress(mut self) -> Self {
        self.suppress = true;
        self
    }

    /// Returns the contact.
    #[must_use]
    pub fn contact(&self) -> ContactId {
        self.contact
    }

    pub(crate) fn prepare(self, limits: Limits) -> PreparedErase {
        PreparedErase {
            request: self,
            limits,
        }
    }
}

impl From<ContactId> for Erase {
    fn from(contact: ContactId) -> Self {
        Erase::new(contact)
    }
}

/// The outcome of a request to erase a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// Whether the contact existed.
    pub erased: bool,
    /// The kinds of its identifiers that are suppressed now.
    pub suppressed: KindSet,
}

/// A request to erase a contact, with the limits in force.
#[derive(Clone)]
pub(crate) struct PreparedErase {
    request: Erase,
    limits: Limits,
}

impl Described for Erase {
    fn describe(&self, to: &mut Description) {
        let Erase { contact, suppress } = self;
        to.parts(&[contact, suppress]);
    }
}

impl Operation for PreparedErase {
    type Outcome = Erased;

    const KIND: OperationKind = OperationKind::Erase;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Erased>, Error> {
        let Erase { contact, suppress } = self.request;
        let Some(found) = contact_with_id(draft, contact)? else {
            return Ok(Step::Done(Erased {
                erased: false,
                suppressed: KindSet::EMPTY,
            }));
        };
        let FoundCard { id: contact, card } = found;
        let merges = merges_of(draft, contact)?;
        // What is kept of those merged into it is theirs, and goes too (R58).
        for (merged, row) in &merges {
            draft.write_merge(*merged, Some((contact, row)), None)?;
            draft.forget_blocked_contact(*merged)?;
            if let Some(last) = row.last_change {
                draft.strip_changes(*merged, last)?;
            }
        }
        for held in &card.tokens {
            let row: SubscriberRow = draft.expect_row(&held.subscriber)?;
            holding::strike_holders(draft, (held.subscriber, &row), &[contact])?;
        }
        draft.forget_blocked_contact(contact)?;
        draft.forget_conflicts_of(contact)?;
        draft.write_card(contact, Some(&card), None, Cause::Given)?;
        // What those merged into it had and it did not get may be with another contact by now.
        let mut erased = vec![card.identifiers];
        for (_, row) in &merges {
            erased.push(nobodys(draft, &row.kept.identifiers)?);
        }
        let mut suppressed = KindSet::EMPTY;
        for identifiers in &erased {
            draft.erase_from_merges(identifiers)?;
            if suppress {
                let kinds = draft.suppress(identifiers)?;
                suppressed = suppressed.iter().chain(kinds.iter()).collect();
            }
        }
        if suppress {
            let most = self.limits.suppressed_identifiers as u64;
            LimitExceeded::check_count(Limit::SuppressedIdentifiers, draft.state.suppressed, most)?;
        }
        Ok(Step::Done(Erased {
            erased: true,
            suppressed,
        }))
    }

    fn count(outcome: &Erased, tally: &mut Tally) {
        tally.entry(if outcome.erased {
            EntryOutcome::Erased
        } else {
            EntryOutcome::UnknownContact
        });
    }
}

/// Those of the identifiers that no contact has now.
fn nobodys(draft: &Draft<'_>, identifiers: &Identifiers) -> Result<Identifiers, Failure> {
    let mut nobodys = identifiers.clone();
    for kind in identifiers.kinds().iter() {
        if find_card(draft, kind, identifiers)?.is_some() {
            nobodys = nobodys.without(kind.into());
        }
    }
    Ok(nobodys)
}
