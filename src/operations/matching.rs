//! Matching: which contact a set of identifiers means, for find, [`explain`](super::explain) and
//! add-tokens alike.
//!
//! It reads only the rows that the rules need, and writes nothing.

use crate::error::EntryError;
use crate::model::identifier::{IdentifierKind, Identifiers, KindSet};
use crate::operations::new_contact::NewContact;
use crate::operations::not_accepted::NotAccepted;
use crate::rules::{self, MatchPolicy, UnknownContactId};
use crate::storage::{Failure, FoundCard, Rows, find_card, first_suppressed};

/// What add-tokens does with a set of identifiers.
pub(crate) enum Located {
    /// An existing contact.
    Found {
        found: FoundCard,
        by: IdentifierKind,
    },
    /// A contact to create.
    Create(NewContact),
}

/// The contact that `identifiers` name under `policy`, and the kind that decided (R14).
pub(crate) fn find(
    rows: &impl Rows,
    policy: MatchPolicy,
    identifiers: &Identifiers,
) -> Result<Option<(FoundCard, IdentifierKind)>, Failure> {
    find_by(
        rows,
        rules::kinds_to_try(policy, identifiers.kinds()),
        identifiers,
    )
}

/// The contact named by the first of `kinds` that names one, and that kind.
pub(crate) fn find_by(
    rows: &impl Rows,
    kinds: impl Iterator<Item = IdentifierKind>,
    identifiers: &Identifiers,
) -> Result<Option<(FoundCard, IdentifierKind)>, Failure> {
    for kind in kinds {
        if let Some(found) = find_card(rows, kind, identifiers)? {
            return Ok(Some((found, kind)));
        }
    }
    Ok(None)
}

/// The contact that add-tokens finds or creates for `identifiers`, of which at least one is given
/// (R14–R18).
pub(crate) fn locate(
    rows: &impl Rows,
    policy: MatchPolicy,
    unknown_contact_id: UnknownContactId,
    identifiers: Identifiers,
) -> Result<Located, NotAccepted> {
    if let Some((found, by)) = find(rows, policy, &identifiers)? {
        return Ok(Located::Found { found, by });
    }
    let given = identifiers.kinds();
    let tried: KindSet = rules::kinds_to_try(policy, given).collect();
    let mut taken = KindSet::EMPTY;
    for kind in given.iter().filter(|kind| !tried.contains(*kind)) {
        if find_card(rows, kind, &identifiers)?.is_some() {
            taken.insert(kind);
        }
    }
    let new = NewContact::decide(rows, unknown_contact_id, identifiers, taken)?;
    Ok(Located::Create(new))
}

/// Refuses identifiers of which one is suppressed (R65).
pub(crate) fn refuse_suppressed(
    rows: &impl Rows,
    identifiers: &Identifiers,
) -> Result<(), NotAccepted> {
    match first_suppressed(rows, identifiers)? {
        None => Ok(()),
        Some(kind) => Err(EntryError::Suppressed { kind }.into()),
    }
}
