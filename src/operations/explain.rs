//! Explaining which contacts identifiers name, and what add-tokens would do with them under each
//! policy (R28).
//!
//! This module asks what add-tokens asks, and writes nothing.

use crate::error::EntryError;
use crate::limits::Limits;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers, KindSet};
use crate::model::placeholders::Placeholders;
use crate::operations::matching::{self, Located};
use crate::operations::not_accepted::NotAccepted;
use crate::rules::{InvalidIdentifier, MatchPolicy, UnknownContactId};
use crate::storage::{Failure, Rows, find_card, next_contact_id};

/// What adding a token with some identifiers would do, under one policy
/// ([R28](crate::rulebook#r28)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The token would go to an existing contact.
    Append {
        /// The contact.
        contact: ContactId,
        /// The kind that decides.
        matched_by: IdentifierKind,
    },
    /// A contact would be created.
    Create {
        /// The id that it would get, if no other contact is created first.
        contact: ContactId,
        /// The given kinds that it would get.
        identifiers: KindSet,
        /// The given kinds that it would not get, because another contact has them
        /// ([R17](crate::rulebook#r17)).
        skipped: KindSet,
    },
    /// The entry would be refused.
    Refuse(EntryError),
}

/// Which contacts some identifiers name, and what add-tokens would do with them
/// ([R28](crate::rulebook#r28)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The contact that each given kind names, in priority order.
    pub named: Vec<(IdentifierKind, Option<ContactId>)>,
    /// What add-tokens would do under [`MatchPolicy::Cascade`].
    pub cascade: Decision,
    /// What add-tokens would do under [`MatchPolicy::TopPriority`].
    pub top_priority: Decision,
}

/// What a snapshot needs to say what a request would do: the limits, and the options of add-tokens,
/// besides the policy, unless a request says otherwise.
pub(crate) struct ExplainedBy {
    pub(crate) limits: Limits,
    pub(crate) unknown_contact_id: UnknownContactId,
    pub(crate) invalid_identifier: InvalidIdentifier,
    pub(crate) placeholders: Placeholders,
}

impl ExplainedBy {
    /// The identifiers that count as given. Under `Ignore`, placeholders do not (R13).
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

/// Explains which contacts `identifiers` name, and what add-tokens would do with them (R28).
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
    let located = matching::refuse_suppressed(rows, &identifiers)
        .and_then(|()| matching::locate(rows, policy, unknown_contact_id, identifiers));
    let target = match located {
        Ok(target) => target,
        Err(NotAccepted::Refused(refused)) => return Ok(Decision::Refuse(refused)),
        Err(NotAccepted::Failed(failure)) => return Err(failure),
    };
    Ok(match target {
        Located::Found { found, by } => Decision::Append {
            contact: found.id,
            matched_by: by,
        },
        Located::Create(new) => {
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
