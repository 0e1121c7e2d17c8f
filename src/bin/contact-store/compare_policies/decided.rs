//! What a store decided about one entry of a log. Nothing of a person is in it but contact ids.

use std::fmt;

use contact_store::{
    CardChange, ContactId, ContactUpserted, Erased, Found, IdentifierKind, KindSet, ReportOutcome,
    Resolved, TokenAdded, TokenRemoved, TokenRenamed,
};
use serde::Serialize;

/// A decision. Contact ids are those of the store that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Decided {
    /// It is refused, with this code of `wire`.
    Refused { code: &'static str },
    /// A contact is created for it.
    Created {
        #[serde(serialize_with = "id")]
        contact_id: ContactId,
        /// The given kinds that the contact did not get.
        #[serde(serialize_with = "kinds", skip_serializing_if = "is_empty")]
        skipped: KindSet,
    },
    /// It goes to a contact that was there.
    Found {
        #[serde(serialize_with = "id")]
        contact_id: ContactId,
        #[serde(serialize_with = "kind", skip_serializing_if = "Option::is_none")]
        matched_by: Option<IdentifierKind>,
    },
    /// A report is counted.
    Recorded,
    /// Tokens are taken off the cards of these contacts, or of nobody.
    Removed {
        #[serde(serialize_with = "ids")]
        contact_ids: Vec<ContactId>,
    },
    /// The token of these contacts has another name.
    Renamed {
        #[serde(serialize_with = "ids")]
        contact_ids: Vec<ContactId>,
    },
    /// The token is no subscriber.
    UnknownSubscriber,
    /// A message would go to these contacts.
    Resolved {
        #[serde(serialize_with = "ids")]
        contact_ids: Vec<ContactId>,
    },
    /// The contact is erased.
    Erased {
        #[serde(serialize_with = "id")]
        contact_id: ContactId,
    },
    /// No contact is found.
    Nobody,
}

impl Decided {
    pub(crate) fn added(added: &TokenAdded) -> Self {
        match added.matched_by {
            None => Decided::Created {
                contact_id: added.contact,
                skipped: added.skipped,
            },
            matched_by => Decided::Found {
                contact_id: added.contact,
                matched_by,
            },
        }
    }

    pub(crate) fn upserted(upserted: &ContactUpserted) -> Self {
        match upserted.card {
            CardChange::Created => Decided::Created {
                contact_id: upserted.contact,
                skipped: KindSet::default(),
            },
            _ => Decided::Found {
                contact_id: upserted.contact,
                matched_by: upserted.matched_by,
            },
        }
    }

    pub(crate) fn reported(outcome: &ReportOutcome) -> Self {
        match outcome {
            ReportOutcome::Removed { from } => Decided::Removed {
                contact_ids: from.clone(),
            },
            ReportOutcome::UnknownSubscriber => Decided::UnknownSubscriber,
            _ => Decided::Recorded,
        }
    }

    pub(crate) fn removed(removed: &TokenRemoved) -> Self {
        Decided::Removed {
            contact_ids: removed.from.clone(),
        }
    }

    pub(crate) fn renamed(renamed: &TokenRenamed) -> Self {
        match renamed {
            TokenRenamed::Renamed { contacts, .. } | TokenRenamed::Joined { contacts, .. } => {
                Decided::Renamed {
                    contact_ids: contacts.clone(),
                }
            }
            _ => Decided::UnknownSubscriber,
        }
    }

    /// The id of a contact that is not there is not shown: it may be a phone in the wrong place.
    pub(crate) fn erased(contact: ContactId, erased: Erased) -> Self {
        match erased.erased {
            true => Decided::Erased {
                contact_id: contact,
            },
            false => Decided::Nobody,
        }
    }

    pub(crate) fn found(found: Option<&Found>) -> Self {
        match found {
            Some(found) => Decided::Found {
                contact_id: found.card.id,
                matched_by: Some(found.matched_by),
            },
            None => Decided::Nobody,
        }
    }

    pub(crate) fn resolved(resolved: &Resolved) -> Self {
        let addressed = resolved.addresses.iter().map(|address| address.contact);
        let contacts = addressed.chain(resolved.muted.iter().map(|muted| muted.contact));
        Decided::Resolved {
            contact_ids: contacts.collect(),
        }
    }

    /// The contacts that it is about, other than one that it created.
    pub(crate) fn contacts(&self) -> &[ContactId] {
        match self {
            Decided::Found { contact_id, .. } | Decided::Erased { contact_id } => {
                std::slice::from_ref(contact_id)
            }
            Decided::Removed { contact_ids }
            | Decided::Renamed { contact_ids }
            | Decided::Resolved { contact_ids } => contact_ids,
            Decided::Refused { .. }
            | Decided::Created { .. }
            | Decided::Recorded
            | Decided::UnknownSubscriber
            | Decided::Nobody => &[],
        }
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decided::Refused { code } => write!(f, "refused ({code})"),
            Decided::Created {
                contact_id,
                skipped,
            } => {
                write!(f, "contact {contact_id} created")?;
                list(f, " without ", skipped.iter())
            }
            Decided::Found {
                contact_id,
                matched_by,
            } => {
                write!(f, "contact {contact_id} found")?;
                list(f, " by ", matched_by)
            }
            Decided::Recorded => f.write_str("recorded"),
            Decided::Removed { contact_ids } => all(f, "removed from", contact_ids),
            Decided::Renamed { contact_ids } => all(f, "renamed for", contact_ids),
            Decided::UnknownSubscriber => f.write_str("the token is no subscriber"),
            Decided::Resolved { contact_ids } => all(f, "resolved to", contact_ids),
            Decided::Erased { contact_id } => write!(f, "contact {contact_id} erased"),
            Decided::Nobody => f.write_str("no contact found"),
        }
    }
}

/// `removed from contacts 1, 2`, or `removed from nobody`.
fn all(f: &mut fmt::Formatter<'_>, what: &str, contacts: &[ContactId]) -> fmt::Result {
    f.write_str(what)?;
    match contacts.len() {
        0 => f.write_str(" nobody"),
        1 => list(f, " contact ", contacts),
        _ => list(f, " contacts ", contacts),
    }
}

/// What is listed, with commas; nothing at all when there is nothing.
fn list(
    f: &mut fmt::Formatter<'_>,
    before: &str,
    listed: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (place, one) in listed.into_iter().enumerate() {
        let between = if place == 0 { before } else { ", " };
        write!(f, "{between}{one}")?;
    }
    Ok(())
}

fn is_empty(kinds: &KindSet) -> bool {
    kinds.iter().next().is_none()
}

fn id<S: serde::Serializer>(id: &ContactId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(id.value())
}

fn ids<S: serde::Serializer>(ids: &[ContactId], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(|id| id.value()))
}

fn kind<S: serde::Serializer>(kind: &Option<IdentifierKind>, to: S) -> Result<S::Ok, S::Error> {
    kind.map(IdentifierKind::as_str).serialize(to)
}

fn kinds<S: serde::Serializer>(kinds: &KindSet, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(kinds.iter().map(IdentifierKind::as_str))
}
