//! Whether two decisions about one entry differ, and how.

use serde::Serialize;

use super::counterparts::Counterparts;
use super::decided::Decided;

/// How the decisions about an entry differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Difference {
    CreatedByCascade,
    CreatedByTopPriority,
    OtherContact,
    OtherIdentifiers,
    RefusedByCascade,
    RefusedByTopPriority,
    OtherCode,
    OtherOutcome,
}

impl Difference {
    /// In the sums, after a count.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Difference::CreatedByCascade => "created under cascade alone",
            Difference::CreatedByTopPriority => "created under topPriority alone",
            Difference::OtherContact => "of another contact",
            Difference::OtherIdentifiers => "created with other identifiers",
            Difference::RefusedByCascade => "refused under cascade alone",
            Difference::RefusedByTopPriority => "refused under topPriority alone",
            Difference::OtherCode => "refused for another reason",
            Difference::OtherOutcome => "with another outcome",
        }
    }
}

/// How two decisions about one entry differ, if they do. Notes which contacts are counterparts.
pub(crate) fn difference(
    cascade: &Decided,
    top_priority: &Decided,
    counterparts: &mut Counterparts,
) -> Option<Difference> {
    use Decided::{Created, Refused};
    match (cascade, top_priority) {
        (
            Created {
                contact_id: a,
                skipped: without,
            },
            Created {
                contact_id: b,
                skipped,
            },
        ) => {
            counterparts.created_both(*a, *b);
            (without != skipped).then_some(Difference::OtherIdentifiers)
        }
        (Created { contact_id, .. }, other) => {
            counterparts.created_by_cascade(*contact_id);
            if let Decided::Found { contact_id: b, .. } = other {
                counterparts.met(*contact_id, *b);
            }
            Some(match other {
                Refused { .. } => Difference::RefusedByTopPriority,
                _ => Difference::CreatedByCascade,
            })
        }
        (other, Created { contact_id, .. }) => {
            counterparts.created_by_top_priority(*contact_id);
            if let Decided::Found { contact_id: a, .. } = other {
                counterparts.met(*a, *contact_id);
            }
            Some(match other {
                Refused { .. } => Difference::RefusedByCascade,
                _ => Difference::CreatedByTopPriority,
            })
        }
        (Refused { code: a }, Refused { code: b }) => (a != b).then_some(Difference::OtherCode),
        (Refused { .. }, _) => Some(Difference::RefusedByCascade),
        (_, Refused { .. }) => Some(Difference::RefusedByTopPriority),
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
            Some(Difference::OtherOutcome)
        }
        (a, b) => {
            let (a, b) = (a.contacts(), b.contacts());
            let differ = !counterparts.are_all(a, b);
            if let ([a], [b]) = (a, b) {
                counterparts.met(*a, *b);
            }
            differ.then_some(Difference::OtherContact)
        }
    }
}
