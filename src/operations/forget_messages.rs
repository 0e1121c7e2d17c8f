//! Forgetting old message tallies (R30).

use crate::error::Error;
use crate::model::app::AppId;
use crate::model::report::MessageId;
use crate::model::time::Timestamp;
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{AppRow, Draft, Rows as _, messages_after};

/// The outcome of a request to forget messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessagesForgotten {
    /// The number of tallies removed.
    pub messages: u64,
}

/// A request to forget the tallies of an app whose latest report is older than a time.
#[derive(Clone)]
pub(crate) struct ForgetMessages {
    app: AppId,
    before: Timestamp,
    /// The message after which to continue.
    after: Option<MessageId>,
    forgotten: u64,
}

impl ForgetMessages {
    pub(crate) fn new(app: AppId, before: Timestamp) -> Self {
        ForgetMessages {
            app,
            before,
            after: None,
            forgotten: 0,
        }
    }
}

impl Described for ForgetMessages {
    fn describe(&self, to: &mut Description) {
        let ForgetMessages {
            app,
            before,
            // How far it has come.
            after: _,
            forgotten: _,
        } = self;
        to.parts(&[app, before]);
    }
}

impl Operation for ForgetMessages {
    type Outcome = MessagesForgotten;

    const KIND: OperationKind = OperationKind::ForgetMessages;

    fn size(&self) -> Size {
        Size::one(0)
    }

    /// Reads a bounded number of tallies for each commit.
    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<MessagesForgotten>, Error> {
        const STEP: usize = 4_096;
        let app: AppRow = draft.row(&self.app)?.ok_or(Error::UnknownApp(self.app))?;
        let found = messages_after(draft, app.number, self.after.as_ref(), STEP)?;
        let more = found.len() == STEP;
        for (key, tally) in found {
            if tally.last_at < self.before {
                draft.write_message(&key, None)?;
                self.forgotten = self.forgotten.saturating_add(1);
            }
            self.after = Some(key.message);
        }
        if more {
            return Ok(Step::Again);
        }
        Ok(Step::Done(MessagesForgotten {
            messages: self.forgotten,
        }))
    }

    fn count(outcome: &MessagesForgotten, tally: &mut Tally) {
        tally.entries(EntryOutcome::Forgotten, outcome.messages);
    }
}
