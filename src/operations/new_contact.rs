//! Creating a contact: the id and the identifiers that it gets (R16–R19).
//!
//! This module does not know what the contact is created for.

use crate::error::EntryError;
use crate::model::app::AppNumber;
use crate::model::fields::ContactFields;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers, KindSet};
use crate::model::time::Timestamp;
use crate::operations::not_accepted::NotAccepted;
use crate::rules::{self, IdHistory, NoCreation, UnknownContactId};
use crate::storage::{CardRow, Draft, Rows, was_contact_id_taken};

/// A contact to be created.
pub(crate) struct NewContact {
    /// The id to adopt; otherwise the store assigns one.
    pub(crate) adopt: Option<ContactId>,
    /// The identifiers that it gets, without the contact id.
    pub(crate) identifiers: Identifiers,
    /// The given kinds that it does not get, because another contact has them (R17).
    pub(crate) skipped: KindSet,
}

impl NewContact {
    /// The contact to create from identifiers that name none, or why it is refused. `taken` are the
    /// kinds whose value another contact has.
    pub(crate) fn decide(
        rows: &impl Rows,
        option: UnknownContactId,
        identifiers: Identifiers,
        taken: KindSet,
    ) -> Result<Self, NotAccepted> {
        let unknown_id = match identifiers.contact_id() {
            Some(id) if was_contact_id_taken(rows, id)? => Some((id, IdHistory::Erased)),
            Some(id) => Some((id, IdHistory::New)),
            None => None,
        };
        let creation = rules::create(option, unknown_id, taken).map_err(|why| match why {
            NoCreation::Unknown => EntryError::UnknownContactId,
            NoCreation::Erased(id) => EntryError::ContactIdErased(id),
        })?;
        Ok(NewContact {
            adopt: creation.adopt,
            identifiers: identifiers
                .without(creation.skipped)
                .without(IdentifierKind::ContactId.into()),
            skipped: creation.skipped,
        })
    }

    /// Takes the contact's id: the one to adopt, or one that the store assigns (R18, R19).
    pub(crate) fn take_id(&self, draft: &mut Draft<'_>) -> Result<ContactId, NotAccepted> {
        if let Some(id) = self.adopt {
            draft.adopt_contact_id(id)?;
            return Ok(id);
        }
        let id = draft.assign_contact_id()?;
        Ok(id.ok_or(EntryError::ContactIdsExhausted)?)
    }

    /// Its card, without fields and tokens.
    pub(crate) fn into_card(self, at: Timestamp, through: Option<AppNumber>) -> CardRow {
        CardRow {
            created_at: at,
            created_through: through,
            identifiers: self.identifiers,
            fields: ContactFields::default(),
            tokens: Vec::new(),
            last_change: None,
        }
    }
}
