//! Lifting the suppression of identifiers (R65).

use crate::error::Error;
use crate::model::identifier::{ContactId, Identifiers, KindSet};
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::Draft;

/// The outcome of a request to lift the suppression of identifiers ([R65](crate::rulebook#r65)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuppressionLifted {
    /// The kinds of the identifiers that were suppressed, and no longer are.
    pub lifted: KindSet,
}

/// A request to lift the suppression of identifiers.
#[derive(Clone)]
pub(crate) struct LiftSuppression(pub(crate) Identifiers);

impl Described for LiftSuppression {
    fn describe(&self, to: &mut Description) {
        let LiftSuppression(identifiers) = self;
        identifiers.describe(to);
    }
}

impl Operation for LiftSuppression {
    type Outcome = SuppressionLifted;

    const KIND: OperationKind = OperationKind::LiftSuppression;

    fn size(&self) -> Size {
        let external = self.0.external_customer_id();
        let email = self.0.email();
        let text = external.map_or(0, |id| id.as_str().len());
        Size::one(text.saturating_add(email.map_or(0, |email| email.as_str().len())))
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<SuppressionLifted>, Error> {
        let mut nameable = self.0.clone();
        let _: Option<ContactId> = nameable.contact_id_mut().take();
        if nameable.is_empty() {
            return Err(Error::NothingGiven);
        }
        let lifted = draft.lift_suppression(&nameable)?;
        Ok(Step::Done(SuppressionLifted { lifted }))
    }

    fn count(outcome: &SuppressionLifted, tally: &mut Tally) {
        tally.entry(if outcome.lifted.is_empty() {
            EntryOutcome::NotSuppressed
        } else {
            EntryOutcome::Lifted
        });
    }
}
