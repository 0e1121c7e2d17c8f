//! Which contact a set of identifiers means: the one place that find, explain and add-tokens ask.
//!
//! Reads the tables as far as the rules want to know, and no further. Writes nothing.

use crate::error::EntryError;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers, KindSet};
use crate::model::placeholders::Placeholders;
use crate::operations::new_contact::NewContact;
use crate::rules::{self, InvalidIdentifier, MatchPolicy, UnknownContactId};
use crate::storage::{Failure, FoundCard, Rows, find_card, next_contact_id};

/// What a set of identifiers comes to.
pub(crate) enum Target {
    /// A contact there is.
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

/// What add-tokens means by `identifiers`, of which at least one is given (R14–R18).
pub(crate) fn locate(
    rows: &impl Rows,
    policy: MatchPolicy,
    unknown_contact_id: UnknownContactId,
    identifiers: Identifiers,
) -> Result<Result<Target, EntryError>, Failure> {
    if let Some((found, by)) = find(rows, policy, &identifiers)? {
        return Ok(Ok(Target::Found { found, by }));
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
    Ok(new.map(Target::Create))
}

/// What adding a token with some identifiers would do, under one policy (R28).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The token would go to a contact there is.
    Append {
        /// The contact.
        contact: ContactId,
        /// The kind that decides.
        matched_by: IdentifierKind,
    },
    /// A contact would be created.
    Create {
        /// The id that it would get, if nothing else is created before.
        contact: ContactId,
        /// The given kinds that it would get.
        identifiers: KindSet,
        /// The given kinds that it would not get, because another contact has them (R17).
        skipped: KindSet,
    },
    /// The entry would be refused.
    Refuse(EntryError),
}

/// Why identifiers lead where they lead (R28).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// For each given kind, in priority order: the contact that it names.
    pub named: Vec<(IdentifierKind, Option<ContactId>)>,
    /// What add-tokens would do under [`MatchPolicy::Cascade`].
    pub cascade: Decision,
    /// What add-tokens would do under [`MatchPolicy::TopPriority`].
    pub top_priority: Decision,
}

/// What add-tokens goes by, besides the policy, unless a request says otherwise.
pub(crate) struct ExplainedBy {
    pub(crate) unknown_contact_id: UnknownContactId,
    pub(crate) invalid_identifier: InvalidIdentifier,
    pub(crate) placeholders: Placeholders,
}

impl ExplainedBy {
    /// The identifiers that count as given: under `Ignore` not those that are placeholders (R13).
    fn given(&self, identifiers: &Identifiers) -> Result<Identifiers, EntryError> {
        let mut given = identifiers.clone();
        let mut first_fault = None;
        for kind in identifiers.kinds().iter() {
            if let Err(fault) = self.placeholders.check(kind, identifiers) {
                if self.invalid_identifier == InvalidIdentifier::Refuse {
                    return Err(fault.into());
                }
                given = given.without(kind.into());
                first_fault.get_or_insert(fault);
            }
        }
        if given.is_empty() {
            return Err(first_fault.map_or(EntryError::NoIdentifier, EntryError::from));
        }
        Ok(given)
    }
}

pub(crate) fn explain(
    rows: &impl Rows,
    by: &ExplainedBy,
    identifiers: &Identifiers,
) -> Result<Explanation, Failure> {
    let mut named = Vec::new();
    for kind in identifiers.kinds().iter() {
        named.push((
            kind,
            find_card(rows, kind, identifiers)?.map(|found| found.id),
        ));
    }
    let decide = |policy| match by.given(identifiers) {
        Ok(given) => decision(rows, policy, by.unknown_contact_id, given),
        Err(refused) => Ok(Decision::Refuse(refused)),
    };
    Ok(Explanation {
        named,
        cascade: decide(MatchPolicy::Cascade)?,
        top_priority: decide(MatchPolicy::TopPriority)?,
    })
}

fn decision(
    rows: &impl Rows,
    policy: MatchPolicy,
    unknown_contact_id: UnknownContactId,
    identifiers: Identifiers,
) -> Result<Decision, Failure> {
    let target = match locate(rows, policy, unknown_contact_id, identifiers)? {
        Ok(target) => target,
        Err(refused) => return Ok(Decision::Refuse(refused)),
    };
    Ok(match target {
        Target::Found { found, by } => Decision::Append {
            contact: found.id,
            matched_by: by,
        },
        Target::Create(new) => {
            let mut kinds = new.identifiers.kinds();
            let contact = match new.adopt {
                Some(id) => {
                    kinds.insert(IdentifierKind::ContactId);
                    Some(id)
                }
                None => next_contact_id(rows)?,
            };
            match contact {
                Some(contact) => Decision::Create {
                    contact,
                    identifiers: kinds,
                    skipped: new.skipped,
                },
                None => Decision::Refuse(EntryError::ContactIdsExhausted),
            }
        }
    })
}
