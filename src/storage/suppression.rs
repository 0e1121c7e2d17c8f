//! Suppressed identifiers: those of erased contacts that no card may get again (R65).
//!
//! Only a keyed hash of each is kept. This module does not know who asks.

use crate::model::identifier::{IdentifierKind, Identifiers, KindSet};

use super::draft::Draft;
use super::format::hash::IndexHasher;
use super::format::optional::{SuppressedKey, SuppressedRow};
use super::guard::Failure;
use super::read::Rows;

/// The kinds that can be suppressed, in priority order. The id of an erased contact is never used
/// again anyway (R18).
const KINDS: [IdentifierKind; 3] = [
    IdentifierKind::ExternalCustomerId,
    IdentifierKind::Phone,
    IdentifierKind::Email,
];

/// The first given kind whose identifier is suppressed.
///
/// A store in which nothing is suppressed reads nothing here.
pub(crate) fn first_suppressed(
    rows: &impl Rows,
    identifiers: &Identifiers,
) -> Result<Option<IdentifierKind>, Failure> {
    if rows.state().suppressed == 0 {
        return Ok(None);
    }
    for kind in KINDS {
        if let Some(key) = key(rows.hasher(), kind, identifiers)
            && rows.row::<SuppressedRow>(&key)?.is_some()
        {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// The key of the identifier of a kind; `None` when there is no such identifier.
fn key(
    hasher: IndexHasher,
    kind: IdentifierKind,
    identifiers: &Identifiers,
) -> Option<SuppressedKey> {
    let hash = match kind {
        IdentifierKind::ContactId => return None,
        IdentifierKind::ExternalCustomerId => {
            let id = identifiers.external_customer_id()?;
            hasher.suppressed(1, id.as_str().as_bytes())
        }
        IdentifierKind::Phone => {
            let phone = identifiers.phone()?;
            hasher.suppressed(2, &phone.as_u64().to_le_bytes())
        }
        IdentifierKind::Email => hasher.suppressed(3, identifiers.email()?.as_str().as_bytes()),
    };
    Some(SuppressedKey(hash))
}

impl Draft<'_> {
    /// Suppresses every identifier but the contact id. Returns the kinds, also of those that were
    /// suppressed before.
    pub(crate) fn suppress(&mut self, identifiers: &Identifiers) -> Result<KindSet, Failure> {
        let mut suppressed = KindSet::EMPTY;
        for kind in KINDS {
            let Some(key) = key(self.hasher(), kind, identifiers) else {
                continue;
            };
            suppressed.insert(kind);
            if self.row::<SuppressedRow>(&key)?.is_none() {
                self.put(&key, Some(&SuppressedRow { kind }))?;
                self.state.suppressed = self.state.suppressed.saturating_add(1);
            }
        }
        Ok(suppressed)
    }

    /// Lifts the suppression of every identifier. Returns the kinds of those that were suppressed.
    pub(crate) fn lift_suppression(
        &mut self,
        identifiers: &Identifiers,
    ) -> Result<KindSet, Failure> {
        let mut lifted = KindSet::EMPTY;
        for kind in KINDS {
            let Some(key) = key(self.hasher(), kind, identifiers) else {
                continue;
            };
            if self.row::<SuppressedRow>(&key)?.is_some() {
                lifted.insert(kind);
                self.put::<SuppressedRow>(&key, None)?;
                self.state.suppressed = self.state.suppressed.saturating_sub(1);
            }
        }
        Ok(lifted)
    }
}
